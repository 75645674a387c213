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
BARE = {"networkPolicy": {"enabled": False}, "disruptionBudget": {"enabled": False}}
# What no Kubernetes takes, the values' schema must not take either.
WRONG = [
    {"image": {"tga": "x"}},
    {"service": {"port": "https"}},
    {"config": {"catalogue": ["../etc/passwd"]}},
    {"secrets": {"keys": ""}},
    {"replicas": 3},
]


def main(chart_folder, out):
    pathlib.Path(out).mkdir(parents=True, exist_ok=True)
    said = helm_python.lint(chart_folder)
    # 1 is INFO: it would like an icon.
    assert not said["errors"] and all(message["severity"] <= 1 for message in said["messages"]), said
    count = 0
    with helm_python.Chart.load(chart_folder) as chart:
        for name, values in [("defaults", {}), ("full", FULL), ("bare", BARE)]:
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


main(*sys.argv[1:])
