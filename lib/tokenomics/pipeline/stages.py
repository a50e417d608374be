"""What ``dvc.yaml`` declares: the stages, and the files and folders that each depends on."""

from pathlib import Path
from typing import Any

from tokenomics import paths
from tokenomics.facts import tables, yaml_file


def stages() -> dict[str, dict[str, Any]]:
    """The stages by name, as they stand in ``dvc.yaml``."""
    return yaml_file.read(paths.DVC_FILE).get("stages", {})


def frozen_stages() -> list[str]:
    """Stages that never rerun by themselves; their committed outputs are checked by hash instead."""
    return [name for name, stage in stages().items() if stage.get("frozen")]


def declared_deps(stage: str) -> list[str]:
    """The files and folders that a stage depends on, as project-relative paths, without its parameter files."""
    return list(stages()[stage].get("deps", []))


def declared_outs(stage: str) -> list[str]:
    """The files and folders that a stage makes, as project-relative paths."""
    outs = stages()[stage].get("outs", [])
    return [name for each in outs for name in ([each] if isinstance(each, str) else each)]


def declared_tables(stage: str) -> list[Path]:
    """Every table that a stage depends on, by itself or as part of a folder."""
    declared = [paths.ROOT / dep for dep in declared_deps(stage)]
    return [table for table in tables.all_tables() if any(table.is_relative_to(dep) for dep in declared)]
