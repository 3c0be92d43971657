"""One feed-forward layer in PyTorch on the CPU, forwards and backwards: the peer of the suite train-layers' layer cases.

    python apps/bench/peers/pytorch_layers.py [--rounds 15] [--batch 16] [--length 128] >> results.jsonl

Needs torch. Variants take turns, as in finegrain's own bench; a line of JSON each, with the ratio to dense. The layers are
those of llm-random, in its own products: RewrittenSplitFF across the batch, ContinuousMoE, and the dense one.
"""

import argparse
import json
import statistics
import time

import torch
from torch import nn

D_MODEL, D_FF = 512, 2048


class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(D_MODEL, D_FF)
        self.outer = nn.Linear(D_FF, D_MODEL)

    def forward(self, x):
        return self.outer(torch.relu(self.inner(x)))


class Experts(nn.Module):
    """relu(z f1 + f1b) f2 of every expert: [expert, row, model], the same out as in."""

    def __init__(self, experts, bias):
        super().__init__()
        size = D_FF // experts
        self.f1 = nn.Parameter(torch.randn(experts, D_MODEL, size) * D_MODEL**-0.5)
        self.f1b = nn.Parameter(torch.zeros(experts, 1, size)) if bias else None
        self.f2 = nn.Parameter(torch.randn(experts, size, D_MODEL) * size**-0.5)

    def forward(self, z):
        hidden = torch.bmm(z, self.f1) if self.f1b is None else torch.baddbmm(self.f1b, z, self.f1)
        return torch.bmm(torch.relu(hidden), self.f2)


class Groups(nn.Module):
    """Tokens at one position of `group` sequences are mixed, as `weights` of the logits says."""

    def __init__(self, experts, group, bias):
        super().__init__()
        self.group = group
        self.controller = nn.Parameter(torch.randn(D_MODEL, experts) * D_MODEL**-0.5)
        self.experts = Experts(experts, bias)

    def forward(self, x):
        batch, length, width = x.shape
        grouped = x.view(batch // self.group, self.group, length, width).transpose(1, 2).reshape(-1, self.group, width)
        weights = self.weights(torch.matmul(grouped, self.controller))  # [groups, tokens, experts]
        merged = torch.matmul(weights.transpose(1, 2), grouped)  # [groups, experts, model]
        y = self.experts(merged.transpose(0, 1).contiguous()).transpose(0, 1)
        out = torch.matmul(weights, y)
        return out.view(batch // self.group, length, self.group, width).transpose(1, 2).reshape(x.shape)


class Grouped(Groups):
    """RewrittenSplitFF."""

    def __init__(self, experts, group):
        super().__init__(experts, group, bias=True)
        self.register_buffer("ramp", torch.linspace(0, 1e-6, group).view(group, 1))

    def weights(self, logits):
        logits = logits + self.ramp
        chosen = logits == logits.amax(dim=1, keepdim=True)
        return torch.softmax(logits, dim=1) * chosen


class MixtureOfTokens(Groups):
    """ContinuousMoE."""

    def __init__(self, experts, group):
        super().__init__(experts, group, bias=False)

    def weights(self, logits):
        return torch.softmax(logits, dim=1)


def seconds(layer, x, cotangent):
    layer.zero_grad(set_to_none=True)
    x.grad = None
    started = time.perf_counter()
    (layer(x) * cotangent).sum().backward()
    return time.perf_counter() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    for name, value in (("rounds", 15), ("batch", 16), ("length", 128), ("threads", torch.get_num_threads())):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    layers = {
        "dense": Dense(),
        "mixture-of-tokens": MixtureOfTokens(16, 16),
        "grouped": Grouped(16, 16),
        "grouped, groups of 8": Grouped(8, 8),
    }
    x = torch.randn(options.batch, options.length, D_MODEL, requires_grad=True)
    cotangent = torch.randn(options.batch, options.length, D_MODEL)
    samples = {name: [] for name in layers}
    for round_number in range(-3, options.rounds):
        for name, layer in layers.items():
            taken = seconds(layer, x, cotangent)
            if round_number >= 0:
                samples[name].append(taken)
    tokens = options.batch * options.length
    for name, times in samples.items():
        ratios = sorted(dense / own for dense, own in zip(samples["dense"], times))
        result = {
            "peer": f"torch {torch.__version__}, {options.threads} threads",
            "case": f"one layer of width {D_MODEL}, {D_FF} hidden units, {options.batch} x {options.length} tokens",
            "variant": name,
            "tokensPerSecond": tokens / statistics.median(times),
            "overDense": {
                "median": statistics.median(samples["dense"]) / statistics.median(times),
                "low": ratios[len(ratios) // 4],
                "high": ratios[3 * len(ratios) // 4],
            },
            "parameters": sum(parameter.numel() for parameter in layers[name].parameters()),
            "rounds": options.rounds,
        }
        print(json.dumps(result))


if __name__ == "__main__":
    main()
