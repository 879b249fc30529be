"""Returns one part of a chord, in a process of its own, and may die at a named point on the way.

Usage: python returns.py TASK_ID POSITION STATUS CALLBACK_JSON [die_before_publish | die_after_publish | wait GO_FILE]
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from canvasapp import app
from celery.app.task import Context
from celery.signals import after_task_publish, before_task_publish


def die(**_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    task_id, position, status, callback, *how = sys.argv[1:]
    if how[:1] == ["die_before_publish"]:
        before_task_publish.connect(die, weak=False)
    if how[:1] == ["die_after_publish"]:
        after_task_publish.connect(die, weak=False)
    request = Context(
        {"id": task_id, "group": "g1", "group_index": int(position), "chord": json.loads(callback), "task": "x"}
    )
    backend = app.backend
    if how[:1] == ["wait"]:
        backend.get_state("warm up")
        with app.producer_pool.acquire(block=True) as producer:
            producer.connection.ensure_connection()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while not Path(how[1]).exists():
            time.sleep(0.0005)
    result = int(task_id) if status == "SUCCESS" else ValueError("no")
    backend.on_chord_part_return(request, status, result)


main()
