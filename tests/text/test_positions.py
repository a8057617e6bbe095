"""How many tokens encoders of all families read at once: found from the model, and a full window goes through."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModel, BertTokenizer, MPNetConfig, MPNetModel

from ietool.errors import UserError
from ietool.nn.encoder import READ, EncoderConfig, PretrainedEncoder, _check_reading
from ietool.text.positions import positions_of
from ietool.text.tokens import fetch_config
from tests.cli.conftest import output_of
from tests.tiny_encoder import SPECIAL, vocabulary_of

ROWS, PADDING = 24, 3
SIZES: dict[str, Any] = {
    "vocab_size": 60, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
    "max_position_embeddings": ROWS, "pad_token_id": PADDING, "embedding_size": 16,
}  # fmt: skip

BEHIND_PADDING: dict[str, dict[str, Any]] = {
    "roberta": {}, "xlm-roberta": {}, "camembert": {}, "longformer": {"attention_window": 8}, "data2vec-text": {},
    "roberta-prelayernorm": {}, "luke": {"entity_vocab_size": 10, "entity_emb_size": 8}, "ibert": {}, "markuplm": {},
    "xmod": {"languages": ["en_XX"], "default_language": "en_XX"}, "esm": {"mask_token_id": 1}, "xlm-roberta-xl": {},
    "mpnet": {"pad_token_id": 1},
}  # fmt: skip
"""Families that count positions from behind the padding id; MPNet's is always 1."""

ALL_ROWS: dict[str, dict[str, Any]] = {
    "bert": {}, "albert": {}, "electra": {}, "ernie": {}, "big_bird": {}, "convbert": {}, "megatron-bert": {},
    "rembert": {}, "roc_bert": {}, "splinter": {}, "squeezebert": {}, "roformer": {}, "layoutlm": {}, "fnet": {},
    "nystromformer": {}, "mra": {}, "yoso": {}, "bert-generation": {}, "canine": {"num_hash_buckets": 64},
    "mobilebert": {"intra_bottleneck_size": 16, "true_hidden_size": 16, "hidden_size": 16},
    "distilbert": {"dim": 16, "hidden_dim": 16, "n_layers": 1, "n_heads": 2}, "opt": {"ffn_dim": 16},
    "gpt2": {"n_positions": ROWS, "n_embd": 16, "n_layer": 1, "n_head": 2}, "biogpt": {},
    "xlm": {"emb_dim": 16, "n_layers": 1, "n_heads": 2}, "flaubert": {"emb_dim": 16, "n_layers": 1, "n_heads": 2},
}  # fmt: skip
"""Families with a row for each position, some with a few that are none."""

NO_LIMIT: dict[str, dict[str, Any]] = {
    "deberta": {"relative_attention": True, "position_biased_input": False, "pos_att_type": ["c2p"]},
    "deberta-v2": {"relative_attention": True, "position_biased_input": False, "pos_att_type": ["c2p"]},
    "xlnet": {"d_model": 16, "n_layer": 1, "n_head": 2, "d_inner": 16},
    "modernbert": {}, "nomic_bert": {}, "llama": {}, "qwen2": {"num_key_value_heads": 2},
}  # fmt: skip
"""Families whose positions are distances or rotations."""


def config_of(kind: str, more: dict[str, Any]) -> Any:
    plain = AutoConfig.for_model(kind)
    sizes = SIZES if kind != "xlnet" else {"vocab_size": 60}
    return AutoConfig.for_model(kind, **{k: v for k, v in sizes.items() if hasattr(plain, k) and k not in more}, **more)


def read(config: Any, count: int) -> int:
    """Read so many tokens; how many come back."""
    ids = torch.full((1, count), 7)
    with torch.no_grad():
        model = AutoModel.from_config(config).eval()
        return int(model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state.shape[1])


@pytest.mark.parametrize("kind", [*BEHIND_PADDING, *ALL_ROWS])
def test_a_full_window_goes_through_and_one_token_more_does_not(kind: str) -> None:
    behind = kind in BEHIND_PADDING
    config = config_of(kind, (BEHIND_PADDING if behind else ALL_ROWS)[kind])
    limit = positions_of(config)
    assert limit == (ROWS - config.pad_token_id - 1 if behind else ROWS)
    assert read(config, limit) == limit
    with pytest.raises((IndexError, RuntimeError)):
        read(config, limit + 1)


@pytest.mark.parametrize("kind", NO_LIMIT)
def test_distances_have_no_limit(kind: str) -> None:
    config = config_of(kind, NO_LIMIT[kind])
    assert positions_of(config) is None
    assert read(config, 4 * ROWS) == 4 * ROWS


@pytest.mark.parametrize("kind", ["squeezebert", "layoutlm", "albert", "big_bird", "bert"])
def test_what_makes_one_vector_of_a_text_is_not_missed(kind: str) -> None:
    """It is left away; some models call it all the same."""
    config = config_of(kind, ALL_ROWS[kind])
    encoder = PretrainedEncoder(EncoderConfig(encoder=config.to_dict()))
    _check_reading(encoder, kind)
    assert not [name for name in encoder.state_dict() if "pooler" in name]


@pytest.mark.parametrize("kind", ["canine", "perceiver", "clip"])
def test_models_that_read_no_tokens_alone(kind: str, tmp_path: Path) -> None:
    AutoConfig.for_model(kind).save_pretrained(tmp_path)
    with pytest.raises(UserError) as caught:
        fetch_config(str(tmp_path))
    assert f"({kind})" in str(caught.value) and "model.encoder" in str(caught.value)


def test_an_encoder_that_wants_more_than_a_text() -> None:
    config = config_of("bros", {})
    encoder = PretrainedEncoder.__new__(PretrainedEncoder)
    torch.nn.Module.__init__(encoder)
    encoder.backbone, encoder.row_of, encoder.size = AutoModel.from_config(config), None, 16
    with pytest.raises(UserError) as caught:
        _check_reading(encoder, "some/bros")
    assert "'some/bros' (bros) cannot read a text alone" in str(caught.value) and READ < ROWS


@pytest.mark.parametrize("recipe", ["qa-span", "ske-gplinker"])
def test_training_on_texts_that_are_too_long(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path / "home"))
    text = "歌手方蓝演唱了渡口" * 8
    words = vocabulary_of([text, "谁"])
    encoder = tmp_path / "mpnet"
    encoder.mkdir()
    (encoder / "vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    BertTokenizer(str(encoder / "vocab.txt"), model_max_length=512).save_pretrained(encoder)
    MPNetModel(MPNetConfig(**{**SIZES, "vocab_size": len(words), "pad_token_id": 1})).save_pretrained(encoder)
    assert len(words) > len(SPECIAL)
    if recipe == "qa-span":
        answers = [{"text": "方蓝", "answer_start": 2}]
        qas = [{"id": str(n), "question": "谁演唱", "answers": answers} for n in range(4)]
        content = json.dumps({"data": [{"title": "", "paragraphs": [{"context": text, "qas": qas}]}]})
    else:
        triple = {"subject": "方蓝", "predicate": "唱", "object": {"@value": "渡口"}}
        triple |= {"subject_type": "人", "object_type": {"@value": "歌"}}
        content = "\n".join(json.dumps({"text": f"{text}{n}", "spo_list": [triple]}) for n in range(4))
    for role in ("train", "dev"):
        (tmp_path / f"{role}.json").write_text(content, encoding="utf-8")
    settings = [f"model.encoder={encoder}", "training.epochs=1", "training.batch_size=4", "training.precision=fp32"]
    arguments = ["--train", tmp_path / "train.json", "--dev", tmp_path / "dev.json", "--output", tmp_path / "run"]
    shown = output_of(
        capsys, "train", "-r", recipe, *arguments, "--device", "cpu", *(x for s in settings for x in ("--set", s))
    )
    assert "epoch" in shown and (tmp_path / "run" / "model.safetensors").is_file()
