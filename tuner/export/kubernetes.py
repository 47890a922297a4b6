"""Kubernetes: a ConfigMap for `envFrom`, and a strategic merge patch of a workload's container.

The texts of a ConfigMap are taken as they are; in a container's `env` `$(NAME)` is a variable and `$$` a dollar sign.
"""

from __future__ import annotations

import re
from typing import Final

from tuner.export import yaml_text
from tuner.export.dollars import doubled
from tuner.export.form import Deployment, Form

_NO_LABEL: Final = re.compile(r"[^a-z0-9]+")


def _config_map(deployment: Deployment) -> str:
    profile = deployment.profile
    # A name is a DNS label (RFC 1123): a-z, 0-9 and -.
    name = _NO_LABEL.sub("-", f"{profile.stack}-{profile.name}".lower()).strip("-")
    hint = "For a container: envFrom: [{configMapRef: {name: NAME}}]. The library must be in its image."
    lines = ["apiVersion: v1", "kind: ConfigMap", "metadata:", f"  name: {yaml_text.quoted(name)}"]
    return "\n".join([*deployment.heading(hint), *lines, *yaml_text.mapping("data", deployment.variables, 0)]) + "\n"


def _patch(deployment: Deployment) -> str:
    hint = "kubectl patch deployment NAME --patch-file FILE. The library must be in the container's image."
    lines = ["spec:", "  template:", "    spec:", "      containers:"]
    lines += [f"        - name: {yaml_text.quoted(deployment.target)}", *_env(deployment.variables)]
    return "\n".join([*deployment.heading(hint), *lines]) + "\n"


def _env(variables: dict[str, str]) -> list[str]:
    rows = [
        f"            - name: {yaml_text.quoted(name)}\n              value: {yaml_text.quoted(doubled(value))}\n"
        # A container that takes the variable from elsewhere would be refused: it may have one source only.
        "              valueFrom: null"
        for name, value in variables.items()
    ]
    return ["          env:", *rows] if rows else ["          env: []"]


FORMS: Final = (
    Form(
        name="kubernetes",
        summary="ConfigMap for a container's `envFrom`",
        file_name="{name}.configmap.yaml",
        render=_config_map,
        by_hand="kubectl apply -f FILE adds it beside what is there",
    ),
    Form(
        name="kubernetes-patch",
        summary="patch of a workload's container: `kubectl patch deployment NAME --patch-file FILE`",
        file_name="{name}.patch.yaml",
        render=_patch,
        by_hand="kubectl patch deployment NAME --patch-file FILE changes the workload itself",
        reader="kubernetes",
    ),
)
