"""A pretrained encoder small enough to be made in a test: a BERT with random weights and its own vocabulary."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertModel,
    BertTokenizer,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaModel,
)

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

_WORD = re.compile(r"[a-z0-9]+")


def vocabulary_of(texts: Iterable[str]) -> list[str]:
    """Special tokens, every character, and for a word of Latin letters or digits its two halves as subwords."""
    found: dict[str, None] = dict.fromkeys(SPECIAL)
    for text in texts:
        folded = text.lower()
        found |= dict.fromkeys(c for c in folded if not c.isspace())
        for word in _WORD.findall(folded):
            half = (len(word) + 1) // 2
            found |= dict.fromkeys([word[:half], *(["##" + word[half:]] if len(word) > 1 else [])])
            found |= dict.fromkeys("##" + c for c in word)
    return list(found)


def make_encoder_folder(
    path: Path,
    texts: Iterable[str],
    mlm: bool = False,
    *,
    size: int = 16,
    layers: int = 2,
    positions: int = 128,
    dropout: float = 0.1,
    dtype: torch.dtype = torch.float32,
    lower: bool = True,
    seed: int = 7,
) -> Path:
    """Write what ``AutoModel`` and ``AutoTokenizer`` open.

    Args:
        path: made if it is not there.
        texts: every character of theirs is a token, and words of Latin letters are two.
        mlm: with the head of a masked language model.
        positions: tokens that it reads at most.
        dtype: in which the weights are stored.
        lower: whether the tokenizer lower-cases.

    Returns:
        ``path``.
    """
    path.mkdir(parents=True, exist_ok=True)
    tokens = vocabulary_of(texts)
    (path / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens), encoding="utf-8")
    (path / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": lower, "model_max_length": positions}),
        encoding="utf-8",
    )
    BertTokenizer.from_pretrained(path).save_pretrained(path)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(tokens), hidden_size=size, num_hidden_layers=layers, num_attention_heads=2,
        intermediate_size=2 * size, max_position_embeddings=positions, hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )  # fmt: skip
    model = (BertForMaskedLM if mlm else BertModel)(config)
    with torch.no_grad():
        for parameter in model.parameters():  # the usual 0.02 would let everything look alike in so few dimensions
            if parameter.dim() > 1:
                parameter.mul_(10.0)
    model.to(dtype).save_pretrained(path)
    return path


def make_blank_encoder(path: Path, texts: Iterable[str], kind: str, *, mlm: bool = False, positions: int = 128) -> Path:
    """The same with a tokenizer whose tokens include the blank before a word, as those of GPT-2 and XLM-R do.

    Args:
        kind: ``bytes`` (byte-level BPE) or ``pieces`` (Unigram with a mark in place of the blank).
    """
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    texts = list(texts)
    if kind == "bytes":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer: Any = trainers.BpeTrainer(
            vocab_size=600, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )  # fmt: skip
    else:
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.normalizer = normalizers.Replace(Regex(r"\s"), " ")  # as sentencepiece's nmt_nfkc does
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=400, special_tokens=special, unk_token="<unk>", show_progress=False, max_piece_length=6
        )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", cls_token="<s>", pad_token="<pad>", eos_token="</s>",
        sep_token="</s>", unk_token="<unk>", mask_token="<mask>", model_max_length=positions - 2,
    )  # fmt: skip
    fast.save_pretrained(path)
    torch.manual_seed(7)
    config = RobertaConfig(
        vocab_size=len(fast), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=positions, type_vocab_size=1, pad_token_id=1,
    )  # fmt: skip
    (RobertaForMaskedLM if mlm else RobertaModel)(config).save_pretrained(path)
    return path
