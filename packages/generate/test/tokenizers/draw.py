"""Draws tokenizer.json files over every component that one can name, and writes what PyPI's tokenizers makes of texts.

    python3 -m venv venv && venv/bin/pip install tokenizers==0.23.3
    venv/bin/python packages/generate/test/tokenizers/draw.py packages/generate/test/tokenizers/cases.json.gz

A case is a tokenizer.json, and for each text the ids that encoding gives without special tokens (null where the
original refuses the text) and what decoding those ids gives. What the original does not load is drawn anew, and where
it panics there is nothing to compare.
"""

import base64
import gzip
import json
import random
import struct
import sys
import warnings

from tokenizers import Tokenizer

warnings.filterwarnings("ignore")
CASES = 360
TEXTS_OF_CASE = 7

TEXTS = [
    "",
    " ",
    "a",
    "The quick brown fox jumps over the lazy dog.",
    "  two  spaces   three\t\ttabs \n\n lines\r\nCRLF\rCR ",
    "\ufeffBOM at the start, and \ufeff inside",
    "caf\u00e9 na\u00efve r\u00e9sum\u00e9 \u00c5ngstr\u00f6m \u0130stanbul \u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2 \u039f\u0394\u039f\u03a3",
    "e\u0301 a\u0308\u0323 o\u0302\u0301 combining \u0928\u093f\u0928\u094d",
    "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8\u3001\u30ab\u30ca\u30fc! \u4e2d\u6587\u5b57 \ud55c\uad6d\uc5b4 \u0420\u0443\u0441\u0441\u043a\u0438\u0439 \u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd",
    "emoji \U0001f600\U0001f680 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \u2764\ufe0f \U0001f44d\U0001f3fd",
    "1234567 3.14 1,000 \u00bd \u2167 \u0663\u0664 x2 H\u2082O",
    "don't I'm we've they'll 'tis \"quoted\" (paren) [x] {y} <z> a-b_c d--e... !!! ?? $5 + 3 = 8 ^ ` | ~",
    "<s>hello</s> <unk>[MASK] <mask> [CLS]x[SEP] <|end|> tok TOK Tok token",
    " <s> spaced <mask>  and\u3000wide [MASK] ,",
    "def f(x):\n    return x ** 2  # comment\n\n\n",
    "\u00a0nbsp\u2003em\u200bzero\u2028line\u0085nel \u3000ideo",
    "ctrl \x00\x01\x02\x07\x1b\x7f\u008f\u009f end\ufffd",
    "\ufb01 \ufb03 \u2460 \uff21\uff22\uff23 \uff76\uff9e \u00b2 \u2126 \u212b \u1e9b\u0323",
    "\u2581meta \u2581\u2581 space\u2581",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbb abababab",
    "x" * 130 + " tail",
    "hello hello  hello\nhello",
    "line one\nline two\n\n  indented\n",
    "   ",
    "\n",
    "the cat sat on the mat and the dog ate the cat's hat; the end of the tale was the start",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u0e42\u0e25\u0e01 \u0bb5\u0ba3\u0b95\u0bcd\u0b95\u0bae\u0bcd",
    "<0x41> <0xE6><0x97> ##ing </w> \u0120G",
    "mixed\u65e5text\u672c here 7\u65e5 \u30ab\u30bf",
]
WORDS = sorted({word for text in TEXTS for word in text.split()})
CHARACTERS = sorted({character for text in TEXTS for character in text})


class Draw(random.Random):
    """Draws, with the texts of the case under way: its vocabulary is made of what is in them."""

    def next_texts(self):
        self.texts = self.sample(TEXTS, TEXTS_OF_CASE - 1)
        self.words = sorted({word for text in self.texts for word in text.split()} | {"the", "a"})
        self.characters = sorted({character for text in self.texts for character in text} | set("the "))
        self.texts.append("".join(self.choices(CHARACTERS + WORDS + 3 * self.words, k=self.randint(1, 40))))


REGEXES = [
    r"\s+",
    r"\d",
    r"\w+",
    r"[^\s]+",
    r"\p{L}+|\p{N}+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r" ?[^(\s|[.,!?\u2026\u3002\uff0c\u3001])]+",
    r"[\u4e00-\u9fff]+",
    r"[.,!?]",
    r"a*",
    r"x?",
    r"(?=[A-Z])",
    r"\b",
    r"(?<=a)b|b(?=a)",
    r" {2,}",
    r"^ ",
    r"\n$",
    r"[[:punct:]]",
    r"\h+",
    r"\p{Han}|\p{Hiragana}",
    r"\S+\s?",
]
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]


def byte_alphabet():
    kept = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    others = [byte for byte in range(256) if byte not in kept]
    return {**{byte: chr(byte) for byte in kept}, **{byte: chr(256 + k) for k, byte in enumerate(others)}}


BYTE_CHARACTERS = byte_alphabet()


def byte_level(text):
    return "".join(BYTE_CHARACTERS[byte] for byte in text.encode("utf-8", "surrogatepass"))


def charsmap(replacements):
    """A compiled table of SentencePiece: a double array that is not compact, then the replacements."""
    texts, positions = b"", {}
    for key, value in replacements.items():
        positions[key.encode()] = len(texts)
        texts += value.encode() + b"\0"
    nodes = {b""}
    for key in positions:
        nodes |= {key[: n + 1] for n in range(len(key))}
    units = [0] * 256
    used = {0}

    def place(prefix, at):
        children = sorted(node[-1] for node in nodes if len(node) == len(prefix) + 1 and node.startswith(prefix))
        leaf = prefix in positions
        if not children and not leaf:
            return
        labels = ([0] if leaf else []) + children
        base = next(b for b in range(256, 1 << 20) if all((b ^ label) not in used for label in labels))
        used.update(base ^ label for label in labels)
        top = max(base ^ label for label in labels)
        units.extend([0] * (top + 1 - len(units)))
        offset = base ^ at
        assert offset < 1 << 21
        units[at] = (units[at] & 0xFF) | offset << 10 | (1 << 8 if leaf else 0)
        if leaf:
            units[base] = positions[prefix] | 1 << 31
        for child in children:
            units[base ^ child] = child
        for child in children:
            place(prefix + bytes([child]), base ^ child)

    place(b"", 0)
    trie = struct.pack(f"<{len(units)}I", *units)
    return base64.b64encode(struct.pack("<I", len(trie)) + trie + texts).decode()


CHARSMAP = charsmap(
    {"\uff21": "A", "\ufb01": "fi", "\u2460": "1", "e\u0301": "\u00e9", "\t": " ", "\n": " ", "\u3000": " ", "\u200b": "", "\r\n": "N", "\u00e9": "E"}
)


def pattern(draw):
    if draw.random() < 0.35:
        return {"String": draw.choice([" ", "a", "the", "\u2581", "--", ".", "l", "\n", "$", "\u65e5"])}
    return {"Regex": draw.choice(REGEXES)}


def normalizer(draw, depth=0):
    kind = draw.choice(
        ["BertNormalizer", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Strip", "StripAccents", "Replace", "Prepend"]
        + ["Precompiled", "Nmt", "ByteLevel"]
        + (["Sequence"] * 5 if depth == 0 else [])
    )
    flag = lambda: draw.random() < 0.5
    more = {
        "BertNormalizer": lambda: {
            "clean_text": flag(),
            "handle_chinese_chars": flag(),
            "strip_accents": draw.choice([None, True, False]),
            "lowercase": flag(),
        },
        "Strip": lambda: {"strip_left": flag(), "strip_right": flag()},
        "Replace": lambda: {"pattern": pattern(draw), "content": draw.choice(["", " ", "\u2581", "xy", "$&"])},
        "Prepend": lambda: {"prepend": draw.choice(["\u2581", "ab", " "])},
        "Precompiled": lambda: {"precompiled_charsmap": CHARSMAP},
        "Sequence": lambda: {"normalizers": [normalizer(draw, 1) for _ in range(draw.randint(0, 3))]},
    }
    return {"type": kind, **more.get(kind, dict)()}


def metaspace(draw):
    return {
        "type": "Metaspace",
        "replacement": draw.choice(["\u2581", "\u2581", "_"]),
        "prepend_scheme": draw.choice(["always", "first", "never"]),
        "split": draw.random() < 0.6,
    }


def pre_tokenizer(draw, depth=0):
    kind = draw.choice(
        ["BertPreTokenizer", "ByteLevel", "CharDelimiterSplit", "Digits", "Metaspace", "Punctuation", "Split", "Split"]
        + ["UnicodeScripts", "Whitespace", "WhitespaceSplit", "FixedLength"]
        + (["Sequence"] * 4 if depth == 0 else [])
    )
    flag = lambda: draw.random() < 0.5
    more = {
        "ByteLevel": lambda: {"add_prefix_space": flag(), "trim_offsets": flag(), "use_regex": flag()},
        "CharDelimiterSplit": lambda: {"delimiter": draw.choice([" ", "e", "\u65e5", "."])},
        "Digits": lambda: {"individual_digits": flag()},
        "Metaspace": lambda: metaspace(draw),
        "Punctuation": lambda: {"behavior": draw.choice(BEHAVIORS)},
        "Split": lambda: {"pattern": pattern(draw), "behavior": draw.choice(BEHAVIORS), "invert": flag()},
        "FixedLength": lambda: {"length": draw.randint(1, 7)},
        "Sequence": lambda: {"pretokenizers": [pre_tokenizer(draw, 1) for _ in range(draw.randint(1, 3))]},
    }
    return {"type": kind, **more.get(kind, dict)()}


def decoder(draw, depth=0):
    kind = draw.choice(
        ["ByteFallback", "ByteLevel", "BPEDecoder", "CTC", "Fuse", "Metaspace", "Replace", "Strip", "WordPiece"]
        + (["Sequence"] * 4 if depth == 0 else [])
    )
    flag = lambda: draw.random() < 0.5
    more = {
        "BPEDecoder": lambda: {"suffix": draw.choice(["</w>", "e", "##"])},
        "CTC": lambda: {
            "pad_token": draw.choice(["<pad>", "a"]),
            "word_delimiter_token": draw.choice(["|", "\u2581"]),
            "cleanup": flag(),
        },
        "Metaspace": lambda: metaspace(draw),
        "Replace": lambda: {"pattern": pattern(draw), "content": draw.choice(["", " ", "Q"])},
        "Strip": lambda: {"content": draw.choice([" ", "a", "\u2581"]), "start": draw.randint(0, 2), "stop": 0},
        "WordPiece": lambda: {"prefix": draw.choice(["##", "@"]), "cleanup": flag()},
        "ByteLevel": lambda: {"add_prefix_space": flag(), "trim_offsets": flag(), "use_regex": flag()},
        "Sequence": lambda: {"decoders": [decoder(draw, 1) for _ in range(draw.randint(1, 3))]},
    }
    return {"type": kind, **more.get(kind, dict)()}


def base_tokens(draw, uses_bytes):
    """Single symbols that the vocabulary has, a few left out, so that there is something unknown."""
    characters = [c for c in draw.characters if draw.random() < 0.9]
    if uses_bytes:
        characters += [c for c in BYTE_CHARACTERS.values() if c not in characters]
    characters += [c for c in ["\u2581", "_", "A", "E", "N"] if c not in characters]
    return characters


def bpe(draw, uses_bytes):
    prefix = draw.choice(["", "", "", "##"])
    suffix = draw.choice(["", "", "", "</w>"])
    symbols = base_tokens(draw, uses_bytes)
    if prefix:
        symbols += [prefix + s for s in symbols]
    if suffix:
        symbols += [s + suffix for s in symbols]
    vocab = {s: None for s in ["<unk>", *symbols]}
    fallback = draw.random() < 0.4
    if fallback:
        vocab.update({f"<0x{byte:02X}>": None for byte in range(256)})
    merges = []
    corpus = [byte_level(w) if uses_bytes else w for w in draw.words]
    corpus += ["\u2581" + w for w in corpus]
    pieces = [[(prefix if k else "") + c + (suffix if k + 1 == len(w) else "") for k, c in enumerate(w)] for w in corpus]
    for _ in range(draw.randint(0, 60)):
        pairs = [(w[k], w[k + 1]) for w in pieces for k in range(len(w) - 1) if w[k] in vocab and w[k + 1] in vocab]
        if not pairs:
            break
        pair = draw.choice(pairs)
        if list(pair) in merges:
            continue
        joined = pair[0] + pair[1][len(prefix) :] if pair[1].startswith(prefix) else None
        if joined is None:
            continue
        merges.append(list(pair))
        vocab[joined] = None
        for w in pieces:
            k = 0
            while k + 1 < len(w):
                if (w[k], w[k + 1]) == pair:
                    w[k : k + 2] = [joined]
                k += 1
    ids = list(range(len(vocab)))
    if draw.random() < 0.1:
        draw.shuffle(ids)
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": draw.choice([None, "<unk>", "<unk>", "<missing>"]),
        "continuing_subword_prefix": prefix or None,
        "end_of_word_suffix": suffix or None,
        "fuse_unk": draw.random() < 0.5,
        "byte_fallback": fallback,
        "ignore_merges": draw.random() < 0.3,
        "vocab": dict(zip(vocab, ids)),
        "merges": [" ".join(m) for m in merges] if draw.random() < 0.2 and not any(" " in "".join(m) for m in merges) else merges,
    }


def word_piece(draw, uses_bytes):
    prefix = draw.choice(["##", "##", "@"])
    symbols = base_tokens(draw, uses_bytes)
    words = draw.sample(draw.words, len(draw.words) // 2)
    tokens = ["[UNK]", *symbols, *(prefix + s for s in symbols if draw.random() < 0.9), *words]
    tokens += [prefix + w[k:] for w in words for k in [draw.randint(1, len(w))] if w[k:]]
    return {
        "type": "WordPiece",
        "unk_token": draw.choice(["[UNK]", "[UNK]", "[UNK]", "<missing>"]),
        "continuing_subword_prefix": prefix,
        "max_input_chars_per_word": draw.choice([100, 100, 8]),
        "vocab": {t: i for i, t in enumerate(dict.fromkeys(tokens))},
    }


def word_level(draw, uses_bytes):
    words = draw.sample(draw.words, len(draw.words) // 2) + draw.characters[:40] + [c + "e" for c in draw.characters[:20]]
    tokens = ["<unk>", *(byte_level(w) if uses_bytes else w for w in words), *words]
    return {
        "type": "WordLevel",
        "unk_token": draw.choice(["<unk>", "<unk>", "<unk>", "<missing>"]),
        "vocab": {t: i for i, t in enumerate(dict.fromkeys(tokens))},
    }


def unigram(draw, uses_bytes):
    symbols = base_tokens(draw, uses_bytes)
    words = draw.sample(draw.words, len(draw.words) // 2)
    words += ["\u2581" + w for w in words] + [byte_level(w) for w in words if uses_bytes]
    parts = [w[a:b] for w in words for _ in range(2) for a, b in [sorted(draw.choices(range(len(w) + 1), k=2))] if b - a > 1]
    fallback = draw.random() < 0.4
    tokens = ["<unk>", *symbols, *words, *parts, *(f"<0x{b:02X}>" for b in range(256) if fallback)]
    score = lambda t: 0.0 if t == "<unk>" else -round(draw.uniform(1, 12), draw.choice([0, 3]))
    return {
        "type": "Unigram",
        "unk_id": draw.choice([0, 0, 0, None]),
        "vocab": [[t, score(t)] for t in dict.fromkeys(tokens)],
        "byte_fallback": fallback,
    }


def added_tokens(draw):
    contents = ["<s>", "</s>", "[MASK]", "<mask>", "<|end|>", "tok", "TOK", "token", "[CLS]", " and", "\u65e5", "the"]
    flag = lambda: draw.random() < 0.35
    return [
        {
            "id": 100000 + k,
            "content": content,
            "single_word": flag(),
            "lstrip": flag(),
            "rstrip": flag(),
            "normalized": draw.random() < 0.5,
            "special": flag(),
        }
        for k, content in enumerate(draw.sample(contents, draw.randint(0, 5)))
    ]


def post_processor(draw):
    return draw.choice(
        [
            None,
            {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
            {"type": "BertProcessing", "sep": ["[SEP]", 1], "cls": ["[CLS]", 0]},
            {"type": "RobertaProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0], "trim_offsets": True, "add_prefix_space": False},
            {
                "type": "Sequence",
                "processors": [
                    {
                        "type": "TemplateProcessing",
                        "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                        "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
                    }
                ],
            },
        ]
    )


def drawn(draw):
    pre = pre_tokenizer(draw) if draw.random() < 0.85 else None
    norm = normalizer(draw) if draw.random() < 0.6 else None
    uses_bytes = "ByteLevel" in json.dumps([pre, norm])
    model = draw.choice([bpe, bpe, unigram, word_piece, word_level])(draw, uses_bytes)
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added_tokens(draw),
        "normalizer": norm,
        "pre_tokenizer": pre,
        "post_processor": post_processor(draw),
        "decoder": decoder(draw) if draw.random() < 0.8 else None,
        "model": model,
    }


def outcome(tokenizer, text):
    try:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
    except Exception:
        return {"text": text, "ids": None}
    except BaseException:  # a panic of the original, which says nothing of what is right
        return None
    try:
        decoded = tokenizer.decode(ids, skip_special_tokens=False)
    except BaseException:
        return {"text": text, "ids": ids}
    return {"text": text, "ids": ids, "decoded": decoded}


def main(path):
    draw = Draw(19)
    cases = []
    while len(cases) < CASES:
        draw.next_texts()
        file = drawn(draw)
        try:
            tokenizer = Tokenizer.from_str(json.dumps(file))
        except BaseException:
            continue
        outcomes = [outcome(tokenizer, text) for text in draw.texts]
        cases.append({"file": file, "texts": [known for known in outcomes if known is not None]})
    data = json.dumps(cases, ensure_ascii=False, separators=(",", ":")).encode()
    with open(path, "wb") as out:
        out.write(gzip.compress(data, 9, mtime=0))
    refused = sum(o["ids"] is None for case in cases for o in case["texts"])
    print(f"{len(cases)} files, {sum(len(c['texts']) for c in cases)} texts, {refused} refused, {len(data)} bytes of JSON")


main(sys.argv[1])
