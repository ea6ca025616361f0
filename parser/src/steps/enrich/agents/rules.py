"""Writes the rules of uap-core's regexes.yaml as JSON, with what is used of them."""

import json
import sys

import yaml

KEPT = ["regex", "regex_flag", "family_replacement", "os_replacement", "device_replacement"]
KEPT += [f"{kind}v{part}_replacement" for kind in ("", "os_") for part in range(1, 5)]

with open(sys.argv[1], encoding="utf-8") as file:
    lists = yaml.safe_load(file)
texts = []
for name in ("user_agent_parsers", "os_parsers", "device_parsers"):
    rules = [{key: rule[key] for key in KEPT if rule.get(key) is not None} for rule in lists[name]]
    lines = [json.dumps(rule, ensure_ascii=False, separators=(",", ":")) for rule in rules]
    texts.append(f'"{name}":[\n' + ",\n".join(lines) + "\n]")
print("{\n" + ",\n".join(texts) + "\n}")
