"""What a plain `gunicorn wsgi:app` takes up in a checkout: in gunicorn's own workers slow clients hold all threads."""

worker_class = "botd.commands.worker.Worker"
threads = 64
