"""One event between the test and the SDK: attributes as text, data as bytes."""

import base64
import json
from datetime import datetime

from cloudevents.core.v1.event import CloudEvent
from dateutil.parser import isoparse


def build(wanted):
    """Makes the SDK's event as a program would: a datetime, a dict for JSON, str for text."""
    attributes = dict(wanted["attributes"])
    if "time" in attributes:
        attributes["time"] = isoparse(attributes["time"])
    data = wanted.get("data")
    if data is not None:
        data = base64.b64decode(data)
        kind = attributes.get("datacontenttype", "")
        if kind.startswith("application/json"):
            data = json.loads(data)
        elif kind.startswith("text/"):
            data = data.decode()
    return CloudEvent(attributes, data)


def tell(event):
    """What the SDK read, as the test compares it."""
    told = {}
    for name, value in event.get_attributes().items():
        told[name] = value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)
    data = event.get_data()
    if data is None:
        return {"attributes": told}
    if isinstance(data, str):
        data = data.encode()
    elif not isinstance(data, bytes):
        data = json.dumps(data).encode()
    return {"attributes": told, "data": text(data)}


def text(data):
    return base64.b64encode(data).decode()
