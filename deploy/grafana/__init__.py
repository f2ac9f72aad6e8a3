"""Dashboards as code: `python -m deploy.grafana` writes `dashboards/`, which Grafana is provisioned with."""
