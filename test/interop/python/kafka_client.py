"""Reads and writes records with kafka-python, a client that has nothing of ours.

  kafka_client.py SERVERS read TOPIC COUNT     prints the first COUNT records
  kafka_client.py SERVERS write TOPIC          writes the records on standard input
  kafka_client.py SERVERS offsets GROUP TOPIC  prints what the group has committed
"""

import json
import sys

from cloudevents.core.bindings import kafka as binding
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from events import build, tell, text


def read(servers, topic, count):
    consumer = KafkaConsumer(bootstrap_servers=servers, consumer_timeout_ms=60000)
    consumer.assign([TopicPartition(topic, partition) for partition in consumer.partitions_for_topic(topic)])
    consumer.seek_to_beginning()
    for number in range(int(count)):
        record = next(consumer, None)
        if record is None:
            sys.exit(f"{number} records came, and no more for a minute; want {count} of {topic}")
        told = {
            "partition": record.partition,
            "offset": record.offset,
            "key": None if record.key is None else text(record.key),
            "value": None if record.value is None else text(record.value),
            "headers": {name: value.decode() for name, value in record.headers},
        }
        try:
            message = binding.KafkaMessage(dict(record.headers), record.key, record.value or b"")
            told["event"] = tell(binding.from_kafka_event(message))
        except Exception as error:
            told["error"] = f"{type(error).__name__}: {error}"
        print(json.dumps(told), flush=True)
    consumer.close()


def record(order):
    """A record of the SDK's event, or a plain one."""
    if order["mode"] == "plain":
        return binding.KafkaMessage({"X-Plain": b"yes"}, order["key"].encode(), order["value"].encode())
    event = build(order["event"])
    return binding.to_binary_event(event) if order["mode"] == "binary" else binding.to_structured_event(event)


def write(servers, topic):
    producer = KafkaProducer(bootstrap_servers=servers, acks="all")
    for line in sys.stdin:
        message = record(json.loads(line))
        key = message.key.encode() if isinstance(message.key, str) else message.key
        sent = producer.send(topic, message.value, key, list(message.headers.items())).get(timeout=60)
        print(json.dumps({"partition": sent.partition, "offset": sent.offset}), flush=True)
    producer.close()


def offsets(servers, group, topic):
    consumer = KafkaConsumer(bootstrap_servers=servers, group_id=group, enable_auto_commit=False)
    for partition in sorted(consumer.partitions_for_topic(topic)):
        print(json.dumps({"partition": partition, "offset": consumer.committed(TopicPartition(topic, partition))}))
    consumer.close()


servers, command, *args = sys.argv[1:]
{"read": read, "write": write, "offsets": offsets}[command](servers, *args)
