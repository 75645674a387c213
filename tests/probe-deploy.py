"""Lints and renders the chart with Helm's own engine, and checks what it makes against the schemas
of Kubernetes. python3 tests/probe-deploy.py CHART FOLDER: writes what was rendered to FOLDER."""

import pathlib
import subprocess
import sys

import helm_python
import yaml
from kubernetes_validate import validate

VERSIONS = ["1.27", "1.30", "1.33"]
POD = {"podSelector": {"matchLabels": {"app": "asks"}}}
FULL = {
    "image": {"tag": "test", "pullPolicy": "Always"},
    "imagePullSecrets": [{"name": "registry"}],
    "service": {"type": "LoadBalancer", "port": 443},
    "config": {"catalogue": ["schemas/civil.json", "policies/rules/base.csv"]},
    "persistence": {"data": {"storageClassName": "fast"}, "secondPlace": {"storageClassName": "far"}},
    "networkPolicy": {
        "from": [POD],
        "operationsFrom": [POD],
        "egress": [{"to": [{"ipBlock": {"cidr": "10.2.0.0/24"}}], "ports": [{"port": 8443, "protocol": "TCP"}]}],
    },
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "gateway", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "podAnnotations": {"team": "data"},
}
REPLICAS = {
    "replicas": 3,
    "database": {
        "url": "postgres://sluice_gateway@db1.example:5432,db2.example/sluice",
        "passwordSecret": {"name": "sluice-database", "key": "gateway"},
        "connections": 16,
        "staleAfterMs": 1500,
    },
    "anchors": {"everySeconds": 30, "require": 2, "alarmAfterMinutes": 20, "stopAfterMinutes": 60},
    "persistence": {"secondPlace": {"begin": True}},
}
BARE = {"networkPolicy": {"enabled": False}, "disruptionBudget": {"enabled": False}}
# What no Kubernetes takes, the values' schema must not take either.
WRONG = [
    {"image": {"tga": "x"}},
    {"service": {"port": "https"}},
    {"config": {"catalogue": ["../etc/passwd"]}},
    {"secrets": {"keys": ""}},
    # A log in files has one writer.
    {"replicas": 3},
    {"replicas": 0, "database": {"url": "postgres://u@db/d"}},
    {"database": {"url": "postgres://u:password@db/d"}},
    {"database": {"url": "postgres://u@db/d?sslmode=disable"}},
    {"database": {"staleAfterMs": 10}},
    {"database": {"passwordSecret": "secret"}},
    {"anchors": {"require": 0}},
]


def main(chart_folder, out):
    pathlib.Path(out).mkdir(parents=True, exist_ok=True)
    said = helm_python.lint(chart_folder)
    # 1 is INFO: it would like an icon.
    assert not said["errors"] and all(message["severity"] <= 1 for message in said["messages"]), said
    count = 0
    with helm_python.Chart.load(chart_folder) as chart:
        for name, values in [("defaults", {}), ("full", FULL), ("replicas", REPLICAS), ("bare", BARE)]:
            manifests = chart.render(values=values, name="gateway")
            text = "\n---\n".join(text for path, text in manifests.items() if path.endswith(".yaml"))
            pathlib.Path(out, f"{name}.yaml").write_text(text)
            kinds = []
            for document in filter(None, yaml.safe_load_all(text)):
                kinds.append(document["kind"])
                for version in VERSIONS:
                    validate(document, version, strict=True)
                    count += 1
                if document["kind"] == "StatefulSet":
                    confined(document)
                    settings(document, name == "replicas")
                if document["kind"] == "PodDisruptionBudget":
                    assert document["spec"]["maxUnavailable"] == (1 if name == "replicas" else 0)
            wanted = {"StatefulSet", "Service"} | (set() if name == "bare" else {"PodDisruptionBudget", "NetworkPolicy"})
            assert set(kinds) == wanted, kinds
        for values in WRONG:
            try:
                chart.render(values=values, name="gateway")
            except helm_python.HelmError:
                continue
            raise AssertionError(f"taken: {values}")
    print(f"chart: {count} checks of manifests against Kubernetes {', '.join(VERSIONS)}; {len(WRONG)} wrong values refused")


def confined(document):
    pod = document["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
    for container in pod["initContainers"] + pod["containers"]:
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"]
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert "memory" in container["resources"]["limits"]
    probes = pod["containers"][0]
    assert probes["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert probes["livenessProbe"]["httpGet"]["path"] == "/livez"


def settings(document, several):
    """What concerns several gateways is there with them, and only with them."""
    spec = document["spec"]
    pod = spec["template"]["spec"]
    assert spec["replicas"] == (3 if several else 1)
    assert ("podManagementPolicy" in spec) == several and ("topologySpreadConstraints" in pod) == several
    env = {setting["name"]: setting["value"] for setting in pod["containers"][0]["env"]}
    own = {name.removeprefix("SLUICE_"): value for name, value in env.items() if "DATABASE" in name or "ANCHORS" in name}
    wanted = {
        "DATABASE__URL": "postgres://sluice_gateway@db1.example:5432,db2.example/sluice",
        "DATABASE__CA": "/etc/sluice/tls/database-ca.pem",
        "DATABASE__PASSWORD_FILE": "/run/sluice-keys/database-password",
        "DATABASE__CONNECTIONS": "16",
        "DATABASE__STALE_AFTER_MS": "1500",
        "ANCHORS__EVERY_SECONDS": "30",
        "ANCHORS__REQUIRE": "2",
        "ANCHORS__ALARM_AFTER_MINUTES": "20",
        "ANCHORS__STOP_AFTER_MINUTES": "60",
    }
    assert own == (wanted if several else {}), own
    copies = pod["initContainers"][0]["command"][-1]
    assert ("/secret/database/password" in copies) == several and ("> /mnt/second/sluice/checkpoint" in copies) == several
    secrets = {volume["name"]: volume["secret"] for volume in pod["volumes"] if "secret" in volume}
    assert ("database" in secrets) == several
    if several:
        assert secrets["database"]["items"] == [{"key": "gateway", "path": "password"}]


main(*sys.argv[1:])
