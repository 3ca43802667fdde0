"""The only places that touch a network or start a process.

Each transport takes targets, asks all of them at once within its limits, and hands every raw answer to a
`botd.answers.Deliver` as it comes. What an answer means is not decided here: that is the checks' part.
"""
