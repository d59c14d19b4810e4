"""A Flask application with streaming chat.

Run: gunicorn --worker-class tickertape.web.gunicorn.Worker --threads 100 examples.flask_app:app
"""

from flask import Flask

from tickertape.web.flask import chat_blueprint

app = Flask("my_application")
app.register_blueprint(chat_blueprint())
