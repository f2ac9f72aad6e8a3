"""Where verdicts go: Prometheus, Alertmanager, MQTT, Kafka, the evidence log; one file a sink, a registry by name.

A sink's module is imported when its name is first asked for, so that a replay does not load four
client libraries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any, cast

from mm_monitor.errors import ConfigError
from mm_monitor.sinks.context import SinkContext
from mm_monitor.sinks.protocol import Sink

__all__ = ["SINKS", "Sink", "SinkContext", "SinkType", "create"]


@dataclass(frozen=True, slots=True)
class SinkType:
    """Where a sink and its config are found: `sink(config(), context)` makes one."""

    module: str
    sink_name: str
    config_name: str

    @property
    def sink(self) -> Any:
        """The class of the sink."""
        return getattr(import_module(self.module), self.sink_name)

    @property
    def config(self) -> Any:
        """The dataclass of its configuration; every field has a default."""
        return getattr(import_module(self.module), self.config_name)


SINKS: Mapping[str, SinkType] = MappingProxyType(
    {
        "prometheus": SinkType("mm_monitor.sinks.prometheus", "PrometheusSink", "PrometheusConfig"),
        "alertmanager": SinkType(
            "mm_monitor.sinks.alertmanager", "AlertmanagerSink", "AlertmanagerConfig"
        ),
        "mqtt": SinkType("mm_monitor.sinks.mqtt", "MqttSink", "MqttConfig"),
        "accruals": SinkType("mm_monitor.sinks.accruals", "AccrualsSink", "AccrualsConfig"),
        "kafka": SinkType("mm_monitor.sinks.kafka", "KafkaSink", "KafkaSinkConfig"),
        "evidence": SinkType("mm_monitor.sinks.evidence", "EvidenceSink", "EvidenceConfig"),
    }
)


def create(name: str, options: Mapping[str, object], context: SinkContext) -> Sink:
    """The sink called `name` with a config made of `options`.

    Raises ConfigError for an unknown name, an unknown option or one that the sink refuses.
    """
    if name not in SINKS:
        raise ConfigError("sinks", f"one of {', '.join(SINKS)}", name)
    kind = SINKS[name]
    for option in options:
        if option not in kind.config.__dataclass_fields__:
            known = ", ".join(kind.config.__dataclass_fields__)
            raise ConfigError(f"{name}.{option}", f"a known key ({known})")
    return cast(Sink, kind.sink(kind.config(**options), context))
