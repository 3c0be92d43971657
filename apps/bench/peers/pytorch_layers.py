"""The feed-forward layers: a dense one, and llm-random's RewrittenSplitFF and ContinuousMoE in its own products."""

import torch
import torch.nn.functional as F
from torch import nn

ACTIVATIONS = {
    "relu": torch.relu,
    "gelu": F.gelu,
    "fastGelu": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
}


class Dense(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.inner = nn.Linear(model["dModel"], model["dFf"])
        self.outer = nn.Linear(model["dFf"], model["dModel"])
        self.activation = ACTIVATIONS[model.get("activation", "relu")]

    def forward(self, x):
        return self.outer(self.activation(self.inner(x)))


class Experts(nn.Module):
    """relu(z f1 + f1b) f2 of every expert: [expert, row, model], the same out as in."""

    def __init__(self, model, bias):
        super().__init__()
        experts, width = model["feedForward"]["experts"], model["dModel"]
        size = model["dFf"] // experts
        self.f1 = nn.Parameter(torch.randn(experts, width, size) * width**-0.5)
        self.f1b = nn.Parameter(torch.zeros(experts, 1, size)) if bias else None
        self.f2 = nn.Parameter(torch.randn(experts, size, width) * size**-0.5)

    def forward(self, z):
        hidden = torch.bmm(z, self.f1) if self.f1b is None else torch.baddbmm(self.f1b, z, self.f1)
        return torch.bmm(torch.relu(hidden), self.f2)


class Groups(nn.Module):
    """Tokens at one position of `groupSize` sequences are mixed, as `weights` of the logits says."""

    def __init__(self, model, bias):
        super().__init__()
        self.group = model["feedForward"]["groupSize"]
        self.controller = nn.Parameter(torch.randn(model["dModel"], model["feedForward"]["experts"]) * model["dModel"] ** -0.5)
        self.experts = Experts(model, bias)

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

    def __init__(self, model):
        super().__init__(model, bias=True)
        self.register_buffer("ramp", torch.linspace(0, 1e-6, self.group).view(self.group, 1))

    def weights(self, logits):
        logits = logits + self.ramp
        chosen = logits == logits.amax(dim=1, keepdim=True)
        return torch.softmax(logits, dim=1) * chosen


class MixtureOfTokens(Groups):
    """ContinuousMoE."""

    def __init__(self, model):
        super().__init__(model, bias=False)

    def weights(self, logits):
        return torch.softmax(logits, dim=1)


LAYERS = {"dense": Dense, "grouped": Grouped, "mixture-of-tokens": MixtureOfTokens}


def feed_forward(model):
    return LAYERS[model.get("feedForward", {}).get("type", "dense")](model)
