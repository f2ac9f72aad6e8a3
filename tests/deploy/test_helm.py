"""The chart renders what Kubernetes takes, with few values and with all; wrong values are refused.

Helm itself renders, and the schemas of Kubernetes are asked; no cluster is.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from mm_monitor import rulebooks
from mm_monitor.config import check_config
from mm_monitor.evidence.keys import SealingKey
from tests.deploy.folder import DEPLOY, PROMETHEUS, RULE_FILES, read, tool
from tests.services import find
from tests.services.require import require_service

CHART = DEPLOY / "helm" / "mm-monitor"
KUBERNETES = "1.31.0"
OPERATORS = {"ServiceMonitor", "PrometheusRule"}  # their schemas are not Kubernetes's own
ALL: dict[str, Any] = {
    "workers": 3,
    "config": {
        "kafka": {"bootstrap": "k:9092", "group": "mm", "security_protocol": "SASL_SSL",
                  "sasl_username": "mm", "sasl_password_file": "secrets/kafka/password"},
        "rulebooks": {"names": ["./mine.toml"]},
        "http": {"tokens_file": "secrets/kafka/tokens", "open_to_all": False},
        "metrics": {"max_series": 20_000},
    },
    "files": {"mine.toml": "id = 'mine'\n"},
    "secrets": ["kafka"],
    "evidence": {"secret": "seal"},
    "serviceMonitor": {"enabled": True, "labels": {"release": "p"},
                       "bearerTokenSecret": {"name": "t", "key": "token"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "p"}},
    "networkPolicy": {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
                      "from": [{"namespaceSelector": {}}]},
    "podAnnotations": {"a": "b"}, "podLabels": {"c": "d"}, "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "x", "operator": "Exists"}],
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname",
                                   "whenUnsatisfiable": "ScheduleAnyway"}],
    "priorityClassName": "high", "imagePullSecrets": [{"name": "pull"}],
    "affinity": {"podAntiAffinity": {}},
    "rollup": {"size": "1Gi", "resources": {"requests": {"cpu": "50m"}}},
    "state": {"size": "5Gi", "storageClassName": "fast", "accessModes": ["ReadWriteOnce"]},
    "serviceAccount": {"annotations": {"e": "f"}}, "service": {"annotations": {"g": "h"}},
}  # fmt: skip


def helm(*words: str) -> subprocess.CompletedProcess[str]:
    require_service("helm")
    program = find.helm()
    assert program is not None
    return subprocess.run(
        [program, *words], capture_output=True, text=True, timeout=60, check=False
    )


def rendered(folder: Path, values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What the chart makes of these values, by kind and name."""
    file = folder / "values.json"
    file.write_text(json.dumps(values))
    done = helm("template", "x", str(CHART), "-f", str(file), f"--kube-version={KUBERNETES}")
    assert done.returncode == 0, done.stderr
    found = [one for one in yaml.safe_load_all(done.stdout) if one]
    return {f"{one['kind']} {one['metadata']['name']}": one for one in found}


@pytest.fixture(params=["few", "all"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, dict[str, Any]]:
    return rendered(tmp_path, ALL if request.param == "all" else {})


def test_helm_finds_nothing_wrong() -> None:
    done = helm("lint", "--strict", str(CHART), f"--kube-version={KUBERNETES}")
    assert done.returncode == 0, done.stdout


def test_kubernetes_takes_what_it_renders(made: dict[str, dict[str, Any]]) -> None:
    kinds = {one["kind"] for one in made.values()}
    assert kinds - OPERATORS == {
        "ConfigMap", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount", "StatefulSet",
    }  # fmt: skip
    for one in made.values():
        if one["kind"] not in OPERATORS:
            kubernetes_validate.validate(one, KUBERNETES.rpartition(".")[0], strict=True)


def test_several_workers_are_summed_up_by_a_pod_that_nobody_reaches(tmp_path: Path) -> None:
    assert not any("rollup" in name for name in rendered(tmp_path, {}))
    off = {"workers": 3, "rollup": {"enabled": False}}
    assert not any("rollup" in name for name in rendered(tmp_path, off))
    made = rendered(tmp_path, {"workers": 3})
    rollup = made["StatefulSet x-mm-monitor-rollup"]["spec"]
    (container,) = rollup["template"]["spec"]["containers"]
    assert container["args"][:2] == ["report", "rollup"]
    assert container["args"][-1] == "--follow"
    labels = rollup["template"]["metadata"]["labels"]
    assert rollup["selector"]["matchLabels"] == labels
    for one in made.values():  # no service, budget or policy of the workers is the roll-up's, too
        spec = one.get("spec", {})
        chosen = spec.get("podSelector", spec.get("selector", {}))
        if one["metadata"]["name"] != "x-mm-monitor-rollup":
            assert not chosen.get("matchLabels", chosen or {"": ""}).items() <= labels.items()
    policy = made["NetworkPolicy x-mm-monitor-rollup"]["spec"]
    assert (policy["podSelector"]["matchLabels"], policy.get("ingress")) == (labels, None)


@pytest.mark.parametrize("name", ["x-mm-monitor", "x-mm-monitor-rollup"])
def test_pods_are_confined_and_keep_their_state(tmp_path: Path, name: str) -> None:
    made = rendered(tmp_path, ALL)
    spec = made[f"StatefulSet {name}"]["spec"]
    pod = spec["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    for container in [*pod["containers"], *pod["initContainers"]]:
        confined = container["securityContext"]
        assert confined["readOnlyRootFilesystem"]
        assert confined["capabilities"] == {"drop": ["ALL"]}
    (container,) = pod["containers"]
    probes = {"startupProbe", "livenessProbe", "readinessProbe"}
    assert probes & set(container) == (probes if "ports" in container else set())
    (claim,) = spec["volumeClaimTemplates"]
    names = {volume["name"] for volume in pod["volumes"]} | {claim["metadata"]["name"]}
    mounted = {m["name"] for c in (container, *pod["initContainers"]) for m in c["volumeMounts"]}
    assert mounted == names
    assert f"Service {spec['serviceName']}" in made


@pytest.mark.parametrize("values", [{}, ALL], ids=["few", "all"])
def test_the_configuration_is_good_once_the_worker_has_its_number(
    values: dict[str, Any], tmp_path: Path
) -> None:
    made = rendered(tmp_path, values)
    data = made["ConfigMap x-mm-monitor"]["data"]
    pod = made["StatefulSet x-mm-monitor"]["spec"]["template"]["spec"]
    # The words of the init container, run here, on directories of ours.
    etc, config = tmp_path / "etc", tmp_path / "config"
    for folder in (etc, config, *(etc / "secrets" / name for name in ("kafka", "seal"))):
        folder.mkdir(parents=True)
    for name, text in data.items():
        (config / name).write_text(text.replace("/etc/mm-monitor", str(etc)))
    book = Path(rulebooks.__file__).parent / "szse-2025.toml"
    (config / "mine.toml").write_text(book.read_text(encoding="utf-8"))
    for secret in ("password", "tokens"):
        (etc / "secrets" / "kafka" / secret).write_text("of-somebody")
    SealingKey.create(etc / "secrets" / "seal" / "evidence.pem")
    (script,) = pod["initContainers"][0]["args"]
    script = script.replace("/etc/mm-monitor", str(etc)).replace("/config/", f"{config}/")
    before = script[: script.index("mm-monitor check-config")]
    subprocess.run(
        ["/bin/sh", "-ec", before], env={"INDEX": "1", "PATH": "/usr/bin:/bin"}, check=True
    )
    assert check_config(etc / "monitor.toml") == []
    assert ('worker = "2/3"' in (etc / "monitor.toml").read_text()) == bool(values)


def test_a_change_of_configuration_restarts_the_pods(tmp_path: Path) -> None:
    sums = set()
    for rate in ("info", "debug"):
        made = rendered(tmp_path, {"config": {"log": {"level": rate}}})
        meta = made["StatefulSet x-mm-monitor"]["spec"]["template"]["metadata"]
        sums.add(meta["annotations"]["checksum/config"])
    assert len(sums) == 2


def test_the_operators_get_all_rules_and_a_job_that_the_rules_know(tmp_path: Path) -> None:
    made = rendered(tmp_path, ALL)
    groups = made["PrometheusRule x-mm-monitor"]["spec"]["groups"]
    ours = [group for path in RULE_FILES for group in read(path)["groups"]]
    assert sorted(g["name"] for g in groups) == sorted(g["name"] for g in ours)
    assert all(group in ours for group in groups)
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": groups}))
    tool("promtool", "check", "rules", str(file))
    monitor = made["ServiceMonitor x-mm-monitor"]
    label = monitor["spec"]["jobLabel"]
    pods = made["Service x-mm-monitor-pods"]["metadata"]["labels"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= pods.items()
    assert "mm-monitor" in pods[label]
    assert PROMETHEUS.samefile(CHART / "files" / "prometheus")


@pytest.mark.parametrize(
    "values",
    [
        {"wrokers": 2},
        {"workers": 0},
        {"config": {"kafka": {"bootstrap": "k:1", "worker": "1/2"}}},
        {"state": {"size": "lots"}},
        {"evidence": True},
    ],
)
def test_wrong_values_are_refused(values: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "values.json"
    file.write_text(json.dumps(values))
    done = helm("template", "x", str(CHART), "-f", str(file), f"--kube-version={KUBERNETES}")
    assert done.returncode != 0
    assert "values don't meet the specifications of the schema" in done.stderr
