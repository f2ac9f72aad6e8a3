"""Where verdicts go: Prometheus, Alertmanager, MQTT, Kafka; one file a sink, a registry by name."""
