"""Preparations for head ``cross``, each made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tasks.el.made import Made, make_encoder, prepare_cross


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, encoder: Path) -> Made:
    return prepare_cross(tmp_path_factory.mktemp("prepared"), encoder)


@pytest.fixture(scope="session")
def keeping(tmp_path_factory: pytest.TempPathFactory, encoder: Path) -> Made:
    """Of the 2020 form."""
    return prepare_cross(tmp_path_factory.mktemp("keeping"), encoder, "data.nil=keep", form="ccks2020")
