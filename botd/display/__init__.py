"""How it looks: a value in a few characters, a table in any width, a picture, and the forms of an answer."""
