"""The encoder below every model's heads: DGCNN from scratch, or any that transformers' ``AutoModel`` loads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel

from ietool.errors import UserError, reason_of
from ietool.nn.attention import fused_is_slow
from ietool.nn.dgcnn import DGCNNBlock
from ietool.nn.embedding import MixedEmbedding
from ietool.nn.padding import ask_no_gpu
from ietool.quiet import quiet
from ietool.recipe import DGCNNSection, PretrainedSection
from ietool.text.encoding import character_sizes, open_vectors
from ietool.text.tokens import TokenReader, fetch_config, kept_tokens
from ietool.text.units import UnitReader

READ = 8
"""Tokens of the text by which a fresh encoder is tried."""


class EncoderConfig(PretrainedConfig):
    """Base of a model's configuration: ``encoder`` is the configuration of the pretrained encoder, None for DGCNN.

    ``token_rows``: rows of its token embedding where the vocabulary was cut; 0: all. The other sizes are DGCNN's.
    """

    def __init__(
        self,
        encoder: dict[str, Any] | None = None,
        token_rows: int = 0,
        characters: int = 2,
        words: int = 0,
        word_size: int = 0,
        tags: int = 0,
        hidden_size: int = 128,
        dilations: list[int] | None = None,
        positions: int = 512,
        embedding_dropout: float = 0.25,
        gate_dropout: float = 0.1,
        **kwargs: Any,
    ) -> None:
        self.encoder, self.token_rows = encoder, token_rows
        self.characters, self.words, self.word_size, self.tags = characters, words, word_size, tags
        self.hidden_size = hidden_size
        self.dilations = dilations or [1, 2, 5, 1, 2, 5, 1, 2, 5, 1, 1, 1]
        self.positions = positions
        self.embedding_dropout, self.gate_dropout = embedding_dropout, gate_dropout
        super().__init__(**kwargs)


class CharacterEncoder(nn.Module):
    """The mixed embedding and a stack of DGCNN blocks (kexue.fm 6671)."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.size = config.hidden_size
        self.embedding = MixedEmbedding(
            config.characters, self.size, words=config.words, word_size=config.word_size, positions=config.positions,
            tags=config.tags, dropout=config.embedding_dropout,
        )  # fmt: skip
        self.blocks = nn.ModuleList(DGCNNBlock(self.size, d, config.gate_dropout) for d in config.dilations)

    @property
    def table(self) -> nn.Embedding:
        """The embedding of the units, which adversarial training disturbs."""
        return self.embedding.character

    @property
    def input_size(self) -> int:
        """The length of what may be added to the embeddings."""
        return self.size

    def forward(
        self, ids: Tensor, inside: Tensor, words: Tensor | None = None, tags: Tensor | None = None,
        token_types: Tensor | None = None, added: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """ids, words, tags (B, T), inside (B, T) bool → (B, T, H), zero outside; ``added`` (B, T, input_size) is
        added to the embeddings."""
        mask = inside.unsqueeze(-1).to(self.embedding.character.weight.dtype)
        h: Tensor = self.embedding(ids, words, tags, mask, added)
        for block in self.blocks:
            h = block(h, mask)
        return h


class PretrainedEncoder(nn.Module):
    """Any encoder that ``AutoModel`` builds, its token embedding perhaps cut to the tokens that training texts hold
    (the articles' ``keep_tokens``); tokens that were cut read the row of the unknown token."""

    kind: ClassVar[Any] = AutoModel
    """Which of transformers' classes builds it and loads its weights."""
    complete: ClassVar[str] = "name a complete model"
    """What to do where weights are missing."""
    row_of: Tensor | None

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        assert config.encoder is not None
        ask_no_gpu()
        settings = dict(config.encoder)
        own = AutoConfig.for_model(settings.pop("model_type"), **settings)
        full = own.vocab_size
        if config.token_rows:
            own.vocab_size = config.token_rows
        self.backbone: Any = self.kind.from_config(own, dtype=torch.float32, trust_remote_code=False)
        _without_pooler(self.backbone)
        self.attention = str(self.backbone.config._attn_implementation)
        self.size = int(own.hidden_size)
        self.register_buffer("row_of", torch.zeros(full, dtype=torch.int32) if config.token_rows else None)

    @property
    def table(self) -> nn.Embedding:
        return cast(nn.Embedding, self.backbone.get_input_embeddings())

    @property
    def input_size(self) -> int:
        """The length of what may be added to the embeddings."""
        return int(self.table.embedding_dim)

    def forward(
        self, ids: Tensor, inside: Tensor, words: Tensor | None = None, tags: Tensor | None = None,
        token_types: Tensor | None = None, added: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """ids, token_types (B, T), inside (B, T) bool, true also for special tokens → (B, T, H), zero outside;
        ``added`` (B, T, input_size) is added to the embeddings of the tokens."""
        given = self.given(ids, token_types, added)
        h: Tensor = self.backbone(**given, attention_mask=inside.long()).last_hidden_state
        return h * inside.unsqueeze(-1).to(h.dtype)

    def given(self, ids: Tensor, token_types: Tensor | None, added: Tensor | None) -> dict[str, Tensor]:
        """What the backbone is told of tokens, as :meth:`forward` takes them."""
        self._choose_attention(ids.device)
        more = {} if token_types is None else {"token_type_ids": token_types}
        ids = self.rows(ids)
        return {"input_ids": ids, **more} if added is None else {"inputs_embeds": self.table(ids) + added, **more}

    def _choose_attention(self, device: torch.device) -> None:
        """Attention step by step, in large products, where the fused one is slow, else as it was."""
        wanted = "eager" if fused_is_slow(device) else self.attention
        if self.backbone.config._attn_implementation != wanted:
            self.backbone.set_attn_implementation(wanted)

    def rows(self, ids: Tensor) -> Tensor:
        """The rows that tokens have in a vocabulary that may be cut; of any shape."""
        return ids if self.row_of is None else self.row_of[ids].to(ids.dtype)


def make_encoder(config: EncoderConfig) -> CharacterEncoder | PretrainedEncoder:
    """The encoder of a configuration, its weights as yet random."""
    return CharacterEncoder(config) if config.encoder is None else PretrainedEncoder(config)


def encoder_settings(section: DGCNNSection | PretrainedSection, reader: UnitReader, prepared: Path) -> dict[str, Any]:
    """What an :class:`EncoderConfig` is told by a recipe and its prepared data.

    Raises:
        UserError: the encoder cannot be had.
    """
    if isinstance(section, DGCNNSection):
        return {
            **character_sizes(reader.size, open_vectors(prepared), part_of_speech=section.part_of_speech),
            "hidden_size": section.hidden_size,
            "dilations": section.dilations,
            "positions": section.positions,
            "embedding_dropout": section.embedding_dropout,
            "gate_dropout": section.gate_dropout,
        }
    own = fetch_config(section.name)
    plain, rows = _plain(own), 0
    if section.dropout is not None:
        plain |= dict.fromkeys(rates_of_dropout(plain), section.dropout)
    if section.cut_vocabulary:
        kept = kept_tokens(prepared).tolist()
        rows = len(kept)
        # The row of padding is never trained, and some count positions by it.
        padding = plain.get("pad_token_id")
        plain["pad_token_id"] = kept.index(padding) if padding in kept else None
    return {"encoder": plain, "token_rows": rows, "hidden_size": int(own.hidden_size)}


def load_encoder(
    encoder: CharacterEncoder | PretrainedEncoder, section: DGCNNSection | PretrainedSection, prepared: Path
) -> None:
    """Put what is known before training into a fresh encoder: word vectors, or the pretrained weights.

    Raises:
        UserError: the weights cannot be had.
    """
    if isinstance(encoder, CharacterEncoder):
        vectors = open_vectors(prepared)
        if vectors is not None:
            encoder.embedding.fill(vectors)
        return
    assert isinstance(section, PretrainedSection)
    source = fetch(section.name, type(encoder))
    _without_pooler(source)
    weights = source.state_dict()
    if encoder.row_of is not None:
        kept = torch.from_numpy(kept_tokens(prepared))
        reader = TokenReader.open(prepared)
        unknown = max(reader.unknown, 0)
        for name, target in encoder.backbone.state_dict().items():  # the embedding, and what a head has of its size
            if weights[name].shape != target.shape:
                weights[name] = weights[name][kept]
        rows = torch.full((len(encoder.row_of),), int(torch.searchsorted(kept, unknown)), dtype=torch.int32)
        rows[kept] = torch.arange(len(kept), dtype=torch.int32)
        encoder.row_of.copy_(rows)
    encoder.backbone.load_state_dict(weights)
    _check_reading(encoder, section.name)


def _check_reading(encoder: PretrainedEncoder, name: str) -> None:
    """Raise UserError where an encoder wants more than a text, as pictures or places on a page, or gives something
    else than a vector for each token."""
    was_training, ids = encoder.training, torch.zeros(1, READ, dtype=torch.int64)
    try:
        with quiet(), torch.no_grad():
            found = encoder.eval()(ids, torch.ones_like(ids, dtype=torch.bool))
    except Exception as error:
        raise UserError(
            f"{name!r} ({encoder.backbone.config.model_type}) cannot read a text alone ({reason_of(error)})",
            field="model.encoder",
            mend="name an encoder of texts, such as a BERT",
        ) from None
    encoder.train(was_training)
    if encoder.kind is AutoModel and found.shape != (1, READ, encoder.size):
        raise UserError(
            f"{name!r} ({encoder.backbone.config.model_type}) does not give a vector for each token",
            field="model.encoder",
            mend="name an encoder of texts, such as a BERT",
        )


def layers_of(encoder: PretrainedEncoder) -> nn.ModuleList:
    """The stack of layers of a pretrained encoder, lowest first.

    Raises:
        UserError: it has none that could be told (one that shares its layers' weights, say).
    """
    count = int(encoder.backbone.config.num_hidden_layers)
    for module in encoder.backbone.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return module
    kind = encoder.backbone.config.model_type
    raise UserError(
        f"the layers of a {kind!r} encoder cannot be told apart",
        field="training.layer_decay",
        mend="set training.layer_decay=1 and training.frozen_layers=0",
    )


def encoders_of(model: nn.Module) -> list[PretrainedEncoder]:
    """The pretrained encoders within a model."""
    return [module for module in model.modules() if isinstance(module, PretrainedEncoder)]


def _plain(config: PretrainedConfig) -> dict[str, Any]:
    """A configuration without what says how and where its weights were stored."""
    stored = ("dtype", "torch_dtype", "_name_or_path")
    return {key: value for key, value in config.to_dict().items() if key not in stored}


def rates_of_dropout(settings: Mapping[str, Any]) -> list[str]:
    """The keys of an encoder's settings that are rates of dropout, as each family of models calls them
    (``hidden_dropout_prob``, ``attention_dropout``, ``resid_pdrop`` …); not the chance of leaving out whole layers, and
    not what heads of its own have, which are not used here."""
    return [
        key
        for key, value in settings.items()
        if "drop" in key and "layer" not in key and "classifier" not in key and isinstance(value, float | int)
    ]


class _NoPooler(nn.Module):
    """In place of what makes one vector of a text: some models call it without looking whether it is there, and go on
    with what it gives."""

    def forward(self, states: Tensor, *_: Any, **__: Any) -> Tensor:
        """What it is given."""
        return states


def _without_pooler(backbone: Any) -> None:
    if getattr(backbone, "pooler", None) is not None:
        backbone.pooler = _NoPooler()  # made for sentence pairs; unused weights would only be saved and averaged


def fetch(name: str, wanted: type[PretrainedEncoder] = PretrainedEncoder) -> PreTrainedModel:
    """The model of a folder or hub id, as a kind of encoder wants it.

    Raises:
        UserError: it cannot be loaded, or lacks weights.
    """
    try:
        # Of older models a hub may hold a pickle alone; transformers reads it as tensors and nothing else.
        with quiet():
            model, info = wanted.kind.from_pretrained(
                name, dtype=torch.float32, output_loading_info=True, trust_remote_code=False,
                ignore_mismatched_sizes=True,  # we say better which do not fit
            )  # fmt: skip
    except Exception as error:
        raise UserError(
            f"the weights of {name!r} cannot be loaded ({reason_of(error)})",
            field="model.encoder",
            mend=f"name a folder or hub id that {wanted.kind.__name__} loads",
        ) from None
    missing = sorted(str(key) for key in [*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])])
    missing = [key for key in missing if "pooler" not in key]
    if missing:
        raise UserError(
            f"{name!r} lacks weights: {missing[0]}{f' and {len(missing) - 1} more' if len(missing) > 1 else ''}",
            field="model.encoder",
            mend=wanted.complete,
        )
    return cast(PreTrainedModel, model)
