"""A real Apache Kafka: one node, KRaft, broker and controller in one JVM."""

import subprocess
import time
import uuid
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from tests.services import find
from tests.services.process import HOST, Service, ServiceError, free_port, listening

# Small and quick to start: C1 alone compiles, internal topics have one partition, a first rebalance
# does not wait. A killed broker may come back when its session is over, hence a short one.
LEADER_SECONDS = 20
_JVM = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
num.network.threads=2
num.io.threads=2
background.threads=2
log.cleaner.backoff.ms=200
log.cleaner.dedupe.buffer.size=2097152
log.index.size.max.bytes=1048576
"""


class Kafka(Service):
    """`bootstrap` is what a client is given; topics are made with `create_topic`."""

    name = "kafka"
    replicas = 1
    start_timeout = 60.0
    stop_timeout = 30.0

    def __init__(self, workdir: Path) -> None:
        """Formats its storage at the first start."""
        super().__init__(workdir)
        self._cluster = _cluster_id()
        self._controller_port = free_port()
        self._config = workdir / "server.properties"
        self._data = workdir / "data"

    @property
    def bootstrap(self) -> str:
        """`host:port`."""
        return self.address

    def _java(self, *arguments: str) -> list[str]:
        logging = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        classpath = f"{find.kafka_jars()}/*"
        return [find.java() or "java", *_JVM, logging, "-cp", classpath, *arguments]

    def command(self) -> list[str]:
        """The broker; the first time its storage is formatted, which is a JVM of its own."""
        if not self._data.exists():
            self._format()
        return self._java("kafka.Kafka", str(self._config))

    def _format(self) -> None:
        self._config.write_text(self._properties())
        format_command = ["kafka.tools.StorageTool", "format", "-t", self._cluster, *self._users()]
        done = subprocess.run(
            self._java(*format_command, "-c", str(self._config)), capture_output=True, text=True
        )
        if done.returncode != 0:
            raise ServiceError(f"Kafka's storage was not formatted:\n{done.stdout}{done.stderr}")

    def _properties(self) -> str:
        """The text of its configuration."""
        return _PROPERTIES.format(
            host=HOST, port=self.port, controller_port=self._controller_port, data=self._data
        )

    def _users(self) -> list[str]:
        """Options that give a new storage its users."""
        return []

    def ready(self) -> bool:
        """It listens and gives its metadata."""
        if not listening(self.port):
            return False
        try:
            return bool(self._admin().list_topics(timeout=5).brokers)
        except KafkaException:
            return False

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def create_topic(self, name: str, partitions: int = 1, **config: str | int) -> str:
        """Creates a topic and returns its name when clients can use it.

        Topic settings are keywords with underscores: `cleanup_policy="compact"`. Raises
        confluent_kafka.KafkaException when the topic exists or a setting is unknown.
        """
        settings = {key.replace("_", "."): str(value) for key, value in config.items()}
        admin = self._admin()
        topic = NewTopic(
            name, num_partitions=partitions, replication_factor=self.replicas, config=settings
        )
        admin.create_topics([topic])[name].result(20)
        self._await_leaders(admin, name, partitions)
        return name

    def _await_leaders(self, admin: AdminClient, name: str, partitions: int) -> None:
        until = time.monotonic() + LEADER_SECONDS
        while time.monotonic() < until:
            metadata = admin.list_topics(name, timeout=5).topics[name].partitions
            if len(metadata) == partitions and all(p.leader >= 0 for p in metadata.values()):
                return
            time.sleep(0.01)
        raise ServiceError(f"Kafka made topic {name} but gave its partitions no leader")

    def unique_topic(self, stem: str, partitions: int = 1, **config: str | int) -> str:
        """Creates a topic whose name starts with `stem` and that no other test uses."""
        return self.create_topic(f"{stem}-{uuid.uuid4().hex[:8]}", partitions, **config)

    def delete_topic(self, name: str) -> None:
        """Deletes a topic; clients hear of it as they ask."""
        admin = self._admin()  # which must outlive its answer
        admin.delete_topics([name])[name].result(20)


def _cluster_id() -> str:
    """A fresh id in the form Kafka wants: 22 characters of URL-safe base64."""
    return "mm" + uuid.uuid4().hex[:20]
