"""The web part for a WSGI server: `BOTD_CONFIG=botd.toml gunicorn wsgi:app`."""

from botd.app import create_app
from botd.config import load_config

app = create_app(load_config())
