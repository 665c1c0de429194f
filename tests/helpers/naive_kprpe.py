"""f(P) of one query as the formulas say it, joint by joint: what the factorised code must equal."""

import torch
import torch.nn.functional as F


def centre(place, height, width):
    """M of a place in row-major order, rounded as the buffers are."""
    return torch.tensor([(place % width + 0.5) / width, (place // width + 0.5) / height]).double()


def phi(d, order):
    x, y = d
    return d if order == 1 else torch.stack((x, y, x * x, y * y, x * y))


def table_of(rpe, m, points, confidence, layer):
    """f(P) for the query at m (2,): (heads, K); points (L, 2), confidence (L,)."""
    own = 0 if rpe.table_weight.shape[0] == 1 else layer
    weight, bias = rpe.table_weight[own], rpe.table_bias[own]  # heads, K, ...
    if rpe.keypoints == "constant":
        points, confidence = rpe.pose.mean, torch.ones_like(confidence)
    if rpe.nonlinear:
        hidden = rpe.hidden_bias + (rpe.hidden_static @ m if rpe.standardised else 0)
        for joint, (p, s) in enumerate(zip(points, confidence, strict=True)):
            hidden = hidden + s * (rpe.hidden_weight[:, joint] @ difference(rpe, m, p, joint))
        return (weight * F.gelu(hidden)).sum(-1) + bias
    total = bias
    if rpe.standardised and rpe.formulation != "absolute":
        total = total + (rpe.table_static[own] * torch.cat((m, second(m)[: 3 * (rpe.order - 1)]))).sum(-1)
    for joint, (p, s) in enumerate(zip(points, confidence, strict=True)):
        term = difference(rpe, m, p, joint)
        total = total + (weight[..., joint, :] * (1 if rpe.formulation == "static" else s) * term).sum(-1)
    return total.expand(rpe.num_heads, -1)


def second(m):
    return torch.stack((m[0] * m[0], m[1] * m[1], m[0] * m[1]))


def difference(rpe, m, p, joint):
    if rpe.formulation == "static":
        return m
    if rpe.formulation == "absolute":
        return (p - rpe.pose.mean[joint]) / rpe.pose.spread[joint] if rpe.standardised else p
    term = phi(m - p, rpe.order)
    if rpe.standardised:
        sx, sy = rpe.pose.spread[joint]
        scale = torch.stack((sx, sy, sx, sy, (sx * sy).sqrt()))[: len(term)]
        term = (term - phi(m - rpe.pose.mean[joint], rpe.order)) / scale
    return term
