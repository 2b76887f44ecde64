# SPDX-License-Identifier: Apache-2.0
"""A page that counts its visits in Redis, and says who served it."""
import os
import socket

from flask import Flask
from redis import Redis, RedisError

redis = Redis(host="redis", db=0, socket_connect_timeout=2, socket_timeout=2)
app = Flask(__name__)


@app.route("/")
def hello():
    try:
        visits = redis.incr("counter")
    except RedisError:
        visits = "<i>cannot connect to Redis, counter disabled</i>"
    return (
        f"<h3>Hello {os.getenv('NAME', 'World')}!</h3>"
        f"<b>Version:</b> {os.getenv('VERSION', '?')}<br/>"
        f"<b>HOSTNAME:</b> {os.getenv('HOSTNAME')}<br/>"
        f"<b>Hostname:</b> {socket.gethostname()}<br/>"
        f"<b>Visits:</b> {visits}\n"
    )


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=80)
