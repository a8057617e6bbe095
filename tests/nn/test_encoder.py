"""Pretrained encoders below our heads: equal to transformers' own, with all their tokens or some."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AlbertConfig, AutoConfig, AutoModel, BertConfig, BertModel, RobertaConfig, RobertaModel

from ietool.errors import UserError
from ietool.nn.encoder import (
    CharacterEncoder,
    EncoderConfig,
    PretrainedEncoder,
    encoder_settings,
    encoders_of,
    layers_of,
    load_encoder,
    make_encoder,
    rates_of_dropout,
)
from ietool.recipe import PretrainedSection, TrainingSection
from ietool.text.readers import write_reader
from ietool.text.tokens import TokenReader, write_kept_tokens
from ietool.training.optimiser import checkpoint_activations, depths, freeze, parameter_groups, rate_note
from ietool.workflow.stages import make_ready
from tests.tiny_encoder import SPECIAL, make_encoder_folder

TEXTS = ["歌手林远山唱了Hello World", "2003年，山水《青花》"]
SEEN = {9, 11, 12, 20}
UNKNOWN = SPECIAL.index("[UNK]")


@pytest.fixture(scope="module", params=[torch.float32, torch.float16], ids=["fp32", "fp16"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder_folder(tmp_path_factory.mktemp("encoder") / "tiny", TEXTS, dtype=request.param, positions=40)


def opened(folder: Path, prepared: Path, *, cut: bool = False, dropout: float | None = None) -> PretrainedEncoder:
    """An encoder with its weights, as a model's making puts them in."""
    prepared.mkdir(exist_ok=True)
    reader = write_reader(prepared, PretrainedSection(name=str(folder)), Counter())
    assert isinstance(reader, TokenReader)
    write_kept_tokens(prepared, reader, SEEN)
    section = PretrainedSection(name=str(folder), cut_vocabulary=cut, dropout=dropout)
    config = EncoderConfig(**encoder_settings(section, reader, prepared))
    made = make_encoder(EncoderConfig.from_dict(json.loads(config.to_json_string())))  # as config.json holds it
    load_encoder(made, section, prepared)
    assert isinstance(made, PretrainedEncoder)
    return made.eval()


def batch(size: int, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    inside = torch.arange(9) < torch.tensor([9, 4, 1])[:, None]
    return torch.randint(0, size, (3, 9)) * inside, inside


def reference(folder: Path, ids: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    out: torch.Tensor = model(input_ids=ids, attention_mask=inside.long()).last_hidden_state
    return out


def test_equals_automodel(folder: Path, tmp_path: Path) -> None:
    ours = opened(folder, tmp_path / "p")
    assert ours.size == 16 and ours.row_of is None
    assert all(p.dtype == torch.float32 for p in ours.parameters())
    ids, inside = batch(ours.table.num_embeddings)
    found, expected = ours(ids, inside), reference(folder, ids, inside)
    torch.testing.assert_close(found[inside], expected[inside], rtol=1e-5, atol=1e-5)
    assert not found[~inside].any()
    words = torch.ones_like(ids)  # what the characters' encoder reads besides is nothing to it
    assert torch.equal(ours(ids, inside, words, words), found)
    types = torch.ones_like(ids)
    assert not torch.allclose(ours(ids, inside, token_types=types), found)


def test_dropout_is_as_published_unless_asked(folder: Path, tmp_path: Path) -> None:
    ids, inside = batch(12)
    calm, usual, strong = (opened(folder, tmp_path / "p", dropout=rate).train() for rate in (0.0, None, 0.9))
    kept = opened(folder, tmp_path / "p")(ids, inside)
    torch.testing.assert_close(calm(ids, inside), kept)
    assert not torch.allclose(usual(ids, inside), kept)
    rates = [
        {module.p for module in encoder.modules() if isinstance(module, nn.Dropout)}
        for encoder in (calm, usual, strong)
    ]
    assert rates == [{0.0}, {0.1}, {0.9}]


@pytest.mark.parametrize(
    ("kind", "rates"),
    [
        ("bert", {"hidden_dropout_prob", "attention_probs_dropout_prob"}),
        ("modernbert", {"attention_dropout", "embedding_dropout", "mlp_dropout"}),
        ("gpt2", {"resid_pdrop", "embd_pdrop", "attn_pdrop", "summary_first_dropout"}),
    ],
)
def test_rates_of_dropout_by_family(kind: str, rates: set[str]) -> None:
    assert set(rates_of_dropout(AutoConfig.for_model(kind).to_dict())) == rates


def test_attention_is_fused_but_where_a_cpu_trains_in_bf16(folder: Path, tmp_path: Path) -> None:
    encoder = opened(folder, tmp_path / "p")
    ids, inside = batch(12)
    seen = []
    for grad, half in ((True, False), (True, True), (False, True), (True, False)):
        with torch.set_grad_enabled(grad), torch.autocast("cpu", torch.bfloat16, enabled=half):
            found = encoder(ids, inside)
        seen.append(encoder.backbone.config._attn_implementation)
        torch.testing.assert_close(
            found.float(), reference(folder, ids, inside) * inside.unsqueeze(-1), rtol=0.1, atol=0.1
        )
    assert seen == ["sdpa", "eager", "sdpa", "sdpa"]


def test_padding_does_not_leak(folder: Path, tmp_path: Path) -> None:
    ours = opened(folder, tmp_path / "p")
    ids, inside = batch(ours.table.num_embeddings)
    alone = ours(ids[1:2, :4], inside[1:2, :4])
    torch.testing.assert_close(ours(ids, inside)[1, :4], alone[0], rtol=1e-5, atol=1e-5)
    other = torch.where(inside, ids, 13)
    torch.testing.assert_close(ours(other, inside), ours(ids, inside), rtol=1e-5, atol=1e-5)


def test_a_cut_vocabulary_knows_what_it_kept(folder: Path, tmp_path: Path) -> None:
    ours = opened(folder, tmp_path / "p", cut=True)
    kept = sorted(SEEN | set(range(len(SPECIAL))))
    assert ours.table.num_embeddings == len(kept) and ours.row_of is not None
    full = len(ours.row_of)
    assert full == AutoModel.from_pretrained(folder).config.vocab_size > len(kept)
    for seed in range(5):
        ids, inside = batch(full, seed)
        plain = torch.tensor([[i if i in kept else UNKNOWN for i in row] for row in ids.tolist()])
        found, expected = ours(ids, inside), reference(folder, plain, inside)
        torch.testing.assert_close(found[inside], expected[inside], rtol=1e-5, atol=1e-5)
    every = torch.arange(full)[None]
    rows = ours.row_of[every[0]]
    assert {int(rows[i]) for i in kept} == set(range(len(kept)))
    assert {int(rows[i]) for i in range(full) if i not in kept} == {kept.index(UNKNOWN)}


@pytest.mark.parametrize("padding", [30, 39])
def test_padding_keeps_its_row_where_rows_were_cut(tmp_path: Path, padding: int) -> None:
    """RoBERTa and its like count positions by the id of padding; and some have it at the end of the vocabulary."""
    folder = make_encoder_folder(tmp_path / "tiny", TEXTS)
    size = json.loads((folder / "config.json").read_text())["vocab_size"]
    torch.manual_seed(1)
    config = RobertaConfig(
        vocab_size=size, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
        max_position_embeddings=40 + size, pad_token_id=padding,
    )  # fmt: skip
    RobertaModel(config).save_pretrained(folder)
    kept = {*SEEN, 30, 39}
    prepared = tmp_path / "p"
    prepared.mkdir()
    reader = write_reader(prepared, PretrainedSection(name=str(folder)), Counter())
    assert isinstance(reader, TokenReader)
    write_kept_tokens(prepared, reader, kept)
    section = PretrainedSection(name=str(folder), cut_vocabulary=True)
    ours = make_encoder(EncoderConfig(**encoder_settings(section, reader, prepared)))
    load_encoder(ours, section, prepared)
    ids = torch.tensor([[2, *sorted(SEEN), 30, 39, 3]])
    inside = torch.ones_like(ids, dtype=torch.bool)
    found = ours.eval()(ids, inside)
    theirs = RobertaModel.from_pretrained(folder).eval()
    # Its own count of positions goes by its own id of padding, ours by the row that this has become.
    torch.testing.assert_close(
        found.detach(), _with_positions(theirs, ids, padding, sorted(kept | {0, 1, 2, 3, 4}).index(padding)).detach(),
        rtol=1e-5, atol=1e-5,
    )  # fmt: skip


def _with_positions(model: Any, ids: torch.Tensor, padding: int, row: int) -> torch.Tensor:
    counted = (ids != padding).long()
    at = counted.cumsum(1) * counted + row
    out: torch.Tensor = model(input_ids=ids, position_ids=at).last_hidden_state
    return out


def test_layers_and_depths(folder: Path, tmp_path: Path) -> None:
    ours = opened(folder, tmp_path / "p")
    assert len(layers_of(ours)) == 2 and layers_of(ours)[0] is ours.backbone.encoder.layer[0]
    names = {id(p): name for name, p in ours.backbone.named_parameters()}
    found = {names[id(p)]: depth for p, depth in depths(ours)}
    assert found.keys() == set(names.values()) and not any("pooler" in name for name in names.values())
    for name, depth in found.items():
        expected = 0 if name.startswith("embeddings") else int(name.split(".")[2]) + 1
        assert depth == expected, name


class Headed(nn.Module):
    """An encoder with a head."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.out = nn.Linear(16, 2)


def rates(model: nn.Module, rate: float, **section: Any) -> dict[str, tuple[float, float]]:
    """Learning rate and weight decay of each parameter by name."""
    names = {id(p): name for name, p in model.named_parameters()}
    groups = parameter_groups(model, TrainingSection(learning_rate=1e-4, weight_decay=0.01, **section), rate)
    found: dict[str, tuple[float, float]] = {}
    for group in groups:
        for p in group["params"]:
            assert names[id(p)] not in found
            found[names[id(p)]] = (group["lr"], group["weight_decay"])
    return found


def test_rates_by_depth(folder: Path, tmp_path: Path) -> None:
    model = Headed(opened(folder, tmp_path / "p"))
    names = [name for name, _ in model.named_parameters()]
    for rate in (1e-4, 5e-5):
        found = rates(model, rate, layer_decay=0.5, head_learning_rate=1e-3)
        assert sorted(found) == sorted(names)
        for name, (lr, decay) in found.items():
            if name.startswith("out"):
                expected = 1e-3 * rate / 1e-4
            elif "embeddings" in name:
                expected = rate / 4
            else:
                expected = rate if ".layer.1." in name else rate / 2
            assert lr == pytest.approx(expected), name
            matrix = name.endswith("weight") and "LayerNorm" not in name
            assert decay == (0.01 if matrix else 0.0), name
    assert {lr for lr, _ in rates(model, 1e-4).values()} == {1e-4}
    found = rates(model, 1e-4, layer_decay=0.9)
    assert sorted({lr for lr, _ in found.values()}) == pytest.approx([8.1e-5, 9e-5, 1e-4])


def test_without_a_pretrained_encoder_there_is_one_rate() -> None:
    model = Headed(CharacterEncoder(EncoderConfig(characters=9, hidden_size=16, dilations=[1])))
    for more, expected in (({}, 2e-4), ({"head_learning_rate": 1e-2}, 2e-2)):
        found = rates(model, 2e-4, **more)
        assert sorted({lr for lr, _ in found.values()}) == pytest.approx([expected])
        assert len(found) == len(list(model.parameters()))
    section = TrainingSection(learning_rate=5e-5, head_learning_rate=1e-3)
    assert {group["lr"] for group in parameter_groups(model, section, 1e-4, later=True)} == {1e-4}
    assert "head_learning_rate=0.001" in (rate_note(model, section) or "")
    assert rate_note(model, TrainingSection(learning_rate=5e-5)) is None


@pytest.mark.parametrize("setting", [{"frozen_layers": 2}, {"layer_decay": 0.5}, {"gradient_checkpointing": True}])
def test_what_acts_on_pretrained_encoders_is_refused_without_one(setting: dict[str, Any]) -> None:
    model: Any = Headed(CharacterEncoder(EncoderConfig(characters=9, hidden_size=16, dilations=[1])))
    with pytest.raises(UserError, match="this model has none") as caught:
        make_ready(model, TrainingSection(**setting))
    assert caught.value.field == f"training.{next(iter(setting))}"


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_frozen_layers_get_no_gradient(folder: Path, tmp_path: Path, layers: int) -> None:
    model = Headed(opened(folder, tmp_path / "p"))
    freeze(model, layers)
    still = {name for name, p in model.named_parameters() if not p.requires_grad}
    lowest = ["embeddings", "encoder.layer.0.", "encoder.layer.1."][: layers + 1 if layers else 0]
    expected = {n for n, _ in model.named_parameters() if any(part in n for part in lowest)}
    assert still == expected
    assert set(rates(model, 1e-4, layer_decay=0.5)) == {n for n, _ in model.named_parameters()} - still
    ids, inside = batch(20)
    model.out(model.encoder(ids, inside)).sum().backward()
    assert all((p.grad is None) == (name in still) for name, p in model.named_parameters())


def test_activations_computed_twice_give_the_same_gradients(folder: Path, tmp_path: Path) -> None:
    ids, inside = batch(20)
    gradients = []
    for again in (False, True):
        model = Headed(opened(folder, tmp_path / "p")).train()
        if again:
            checkpoint_activations(model)
        torch.manual_seed(5)
        nn.init.ones_(model.out.weight)
        torch.manual_seed(6)  # the draws of dropout, too, are repeated
        model.encoder(ids, inside).square().sum().backward()
        gradients.append({name: p.grad for name, p in model.encoder.named_parameters()})
    for name, gradient in gradients[0].items():
        assert gradient is not None and gradients[1][name] is not None, name
        torch.testing.assert_close(gradients[1][name], gradient)


def test_an_encoder_that_cannot_compute_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Headed(opened(make_encoder_folder(tmp_path / "tiny", TEXTS), tmp_path / "p"))
    monkeypatch.setattr(BertModel, "supports_gradient_checkpointing", False)
    with pytest.raises(UserError, match=r"training\.gradient_checkpointing"):
        checkpoint_activations(model)


def test_layers_that_share_their_weights_have_no_depth() -> None:
    config = AlbertConfig(
        vocab_size=20, embedding_size=8, hidden_size=8, num_hidden_layers=3, num_attention_heads=2, intermediate_size=8
    )
    model = Headed(PretrainedEncoder(EncoderConfig(encoder=config.to_dict())))
    assert list(encoders_of(model)) == [model.encoder]
    with pytest.raises(UserError, match=r"'albert'"):
        rates(model, 1e-4, layer_decay=0.5)
    with pytest.raises(UserError, match="cannot be told apart"):
        freeze(model, 1)
    freeze(model, 0)
    assert len(rates(model, 1e-4)) == len(list(model.parameters()))


@pytest.mark.parametrize("damage", ["lacks", "shape", "gone", "cut short"])
def test_weights_that_are_not_whole(folder: Path, tmp_path: Path, damage: str) -> None:
    broken, prepared = tmp_path / "broken", tmp_path / "p"
    shutil.copytree(folder, broken)
    path = broken / "model.safetensors"
    tensors = load_file(path)
    name = "encoder.layer.1.attention.self.query.weight"
    if damage == "lacks":
        del tensors[name]
        save_file(tensors, path, metadata={"format": "pt"})
    elif damage == "shape":
        save_file(tensors | {name: torch.zeros(3, 3)}, path, metadata={"format": "pt"})
    elif damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError) as caught:
        opened(broken, prepared)
    told = str(caught.value)
    assert "\n" not in told and "broken" in told and "model.encoder" in told and " → " in told
    assert name in told or damage not in ("lacks", "shape")


def test_the_head_of_a_masked_language_model_is_left_behind(tmp_path: Path) -> None:
    folder = make_encoder_folder(tmp_path / "tiny", TEXTS, mlm=True)
    ours = opened(folder, tmp_path / "p")
    ids, inside = batch(20)
    torch.testing.assert_close(ours(ids, inside)[inside], reference(folder, ids, inside)[inside])


def test_a_model_holds_the_settings_of_its_encoder(tmp_path: Path) -> None:
    """So that it is built again without the folder it came from."""
    folder = make_encoder_folder(tmp_path / "tiny", TEXTS)
    reader = write_reader(tmp_path, PretrainedSection(name=str(folder)), Counter())
    settings = encoder_settings(PretrainedSection(name=str(folder)), reader, tmp_path)
    assert settings["hidden_size"] == 16 and settings["token_rows"] == 0
    assert settings["encoder"]["model_type"] == "bert" and "dtype" not in settings["encoder"]
    rebuilt = BertModel(BertConfig(**settings["encoder"]))
    assert rebuilt.config.num_hidden_layers == 2
