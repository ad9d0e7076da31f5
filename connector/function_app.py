"""The connector as an Azure Function App: a timer queues the expected scopes, and workers read what is queued.

Everything that is decided is decided in `apiward_connector.work_queue`; docs/connector.md says how it is deployed.
"""

import logging
import os
from typing import List  # noqa: UP035 - the binding library takes list[str] for no list

import azure.functions as func

from apiward.wiring import open_app
from apiward_connector.work_queue import QUEUE
from apiward_core.settings import load_settings
from apiward_core.turns import Turns

HOURLY = "0 0 * * * *"
STORAGE = "AzureWebJobsStorage"

logging.getLogger("azure").setLevel(logging.WARNING)  # at INFO the SDKs log every request and answer
app = func.FunctionApp()
turns = Turns()  # the host hands several messages to one process at once


# What is queued before one of the messages fails is queued again by the repeat, which does no harm.
@app.timer_trigger(arg_name="timer", schedule=os.environ.get("APIWARD_SCHEDULE", HOURLY))
@app.retry(strategy="fixed_delay", max_retry_count="3", delay_interval="00:01:00")
@app.queue_output(arg_name="work", queue_name=QUEUE, connection=STORAGE)
def schedule(timer: func.TimerRequest, work: func.Out[List[str]]) -> None:  # noqa: UP006 - see the import
    """Queue every expected scope."""
    del timer  # the binding needs a parameter of its name
    with open_app(load_settings()) as opened:
        work.set(opened.planner().everything())


@app.queue_trigger(arg_name="message", queue_name=QUEUE, connection=STORAGE)
def read(message: func.QueueMessage) -> None:
    """Read the subscriptions of one message."""
    with open_app(load_settings(), turns=turns) as opened:
        opened.worker().work(message.get_body(), attempt=message.dequeue_count)


@app.route(route="run", methods=["POST"], auth_level=func.AuthLevel.ADMIN)
@app.queue_output(arg_name="work", queue_name=QUEUE, connection=STORAGE)
def run_now(req: func.HttpRequest, work: func.Out[List[str]]) -> func.HttpResponse:  # noqa: UP006 - see the import
    """Queue every expected scope, or those that the body names."""
    with open_app(load_settings()) as opened:
        answer = opened.planner().asked(req.get_body())
    work.set(answer.messages)
    return func.HttpResponse(answer.body, status_code=answer.status, mimetype="application/json")
