"""`Generator.draw` as an ONNX graph: one Scan over the tokens, which exports a wide table just as fast.

Tracing would write each token's network down by itself: minutes, and thousands of nodes. The tokens' tensors are
stacked here instead, [tokens, ...], padded to the token with most values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ganvas.tables.cells import NEVER
from ganvas.tasks.table.network import Generator
from ganvas.tasks.table.numbers import Numbers

if TYPE_CHECKING:
    import onnx

OUTSIDE = 100 * NEVER  # of padding, which is not even drawn where nothing is allowed

# B rows, T tokens, V values of all tokens, S values of the token with most, W units, F features of a number.
GRAPH = """
<ir_version: 9, opset_import: ["": 18]>
generator (float[B, T] noise, int64[B, T] rows, bool[B, T] given, bool[B, V] allowed)
       => (int64[B, T] tokens, float[B, T] place)
{
    zero = Constant <value_int = 0> ()
    fixed = Where (given, rows, zero)
    numbers = Add (fixed, first)
    said_alone = Gather <axis = 0> (given_values, numbers)
    multiplied = MatMul (fixed, digits)
    feature_numbers = Add (multiplied, features_first)
    given_features = Gather <axis = 0> (features, feature_numbers)
    features_by_token = Transpose <perm = [1, 0, 2]> (given_features)
    said_by_numbers = MatMul (features_by_token, given_number_weights)
    said_by_token = Transpose <perm = [1, 0, 2]> (said_alone)
    said_whole = Add (said_by_token, said_by_numbers)
    given_by_token = Transpose <perm = [1, 0]> (given)
    last_axis = Constant <value_ints = [2]> ()
    given_thrice = Unsqueeze (given_by_token, last_axis)
    given_share = Cast <to = 1> (given_thrice)
    ahead = Mul (said_whole, given_share)
    first_axis = Constant <value_ints = [0]> ()
    after = ReduceSum <keepdims = 0> (ahead, first_axis)
    known = Sub (after, after)
    noise_by_token = Transpose <perm = [1, 0]> (noise)
    rows_by_token = Transpose <perm = [1, 0]> (fixed)
    one_token = Gather <axis = 1> (fixed, zero)
    none = Sub (one_token, one_token)
    known_end, after_end, token_end, before_end, tokens_by_token, place_by_token = Scan <
    num_scan_inputs = 20, body = step (
        float[B, W] known_in, float[B, W] after_in, int64[B] one, int64[B] two,
        float[B, W] ahead_i, float[B] noise_i, int64[B] row_i, bool[B] given_i,
        float[W] start_i, float[W, W] weight0_i, float[W, W] weight1_i, float[W] bias1_i, float[W, W] weight2_i,
        float[W] bias2_i, float[W, S] head_i, int64[3] prior_i, int64[S] columns_i, float[S] outside_i, int64 last_i,
        int64 first_i, int64[4] number_i, float[F, W] number_weight_i, float[1] smallest_i, float[1] largest_i
    ) => (float[B, W] known_out, float[B, W] after_out, int64[B] token_out, int64[B] one_out,
          int64[B] token_i, float[B] place_i)
    {
        after_out = Sub (after_in, ahead_i)
        heard = Gemm (after_out, weight0_i, start_i)
        told = Add (known_in, heard)
        told_gate = Sigmoid (told)
        hidden = Mul (told, told_gate)
        inner_in = Gemm (hidden, weight1_i, bias1_i)
        inner_gate = Sigmoid (inner_in)
        inner = Mul (inner_in, inner_gate)
        outer_in = Gemm (inner, weight2_i, bias2_i)
        outer_gate = Sigmoid (outer_in)
        outer = Mul (outer_in, outer_gate)
        whole = Add (hidden, outer)
        raw = MatMul (whole, head_i)
        n0 = Constant <value_int = 0> ()
        n1 = Constant <value_int = 1> ()
        n2 = Constant <value_int = 2> ()
        n3 = Constant <value_int = 3> ()
        prior_one = Gather (prior_i, n0)
        prior_two = Gather (prior_i, n1)
        prior_first = Gather (prior_i, n2)
        by_one = Mul (one, prior_one)
        by_two = Mul (two, prior_two)
        by_both = Add (by_one, by_two)
        prior_at = Add (by_both, prior_first)
        prior = Gather <axis = 0> (priors, prior_at)
        unlimited = Add (raw, prior)
        may = Gather <axis = 1> (allowed, columns_i)
        never = Constant <value_float = -100000.0> ()
        limited = Where (may, unlimited, never)
        logits = Add (limited, outside_i)
        probabilities = Softmax <axis = 1> (logits)
        shares = CumSum (probabilities, n1)
        final = Constant <value_ints = [-1]> ()
        total = Gather <axis = 1> (shares, final)
        axis = Constant <value_ints = [1]> ()
        noise_column = Unsqueeze (noise_i, axis)
        mark = Mul (noise_column, total)
        passed = LessOrEqual (shares, mark)
        passed_numbers = Cast <to = 7> (passed)
        count = ReduceSum <keepdims = 1> (passed_numbers, axis)
        quantile = Min (count, last_i)
        fine = GatherElements <axis = 1> (may, quantile)
        most = ArgMax <axis = 1, keepdims = 1> (logits)
        drawn = Where (fine, quantile, most)
        lower_in = Sub (drawn, n1)
        lower = Max (lower_in, n0)
        below_some = GatherElements <axis = 1> (shares, lower)
        is_first = Equal (drawn, n0)
        nothing = Constant <value_float = 0.0> ()
        below = Where (is_first, nothing, below_some)
        above = GatherElements <axis = 1> (shares, drawn)
        far = Sub (mark, below)
        width = Sub (above, below)
        width_safe = Max (width, smallest_i)
        inside = Div (far, width_safe)
        inside_low = Max (inside, nothing)
        inside_both = Min (inside_low, largest_i)
        inside_flat = Squeeze (inside_both, axis)
        drawn_flat = Squeeze (drawn, axis)
        place_i = Where (given_i, noise_i, inside_flat)
        token_i = Where (given_i, row_i, drawn_flat)
        token_out = Identity (token_i)
        one_out = Identity (one)
        value_at = Add (token_i, first_i)
        value = Gather <axis = 0> (values, value_at)
        f0 = Gather (number_i, n0)
        f1 = Gather (number_i, n1)
        f2 = Gather (number_i, n2)
        f3 = Gather (number_i, n3)
        by_token = Mul (token_i, f0)
        by_before = Mul (one, f1)
        by_further = Mul (two, f2)
        two_of_them = Add (by_token, by_before)
        all_of_them = Add (two_of_them, by_further)
        feature_at = Add (all_of_them, f3)
        feature = Gather <axis = 0> (features, feature_at)
        number = MatMul (feature, number_weight_i)
        known_value = Add (known_in, value)
        known_out = Add (known_value, number)
    }> (known, after, none, none, ahead, noise_by_token, rows_by_token, given_by_token, start, weight0, weight1, bias1,
        weight2, bias2, heads, prior_places, columns, outside, last, first, number_places, number_weights, smallest,
        largest)
    tokens = Transpose <perm = [1, 0]> (tokens_by_token)
    place = Transpose <perm = [1, 0]> (place_by_token)
}
"""


def graph(generator: Generator) -> onnx.ModelProto:
    """Noise, rows, given, allowed -> tokens, place; see `export.README`. The generator is on the CPU."""
    import onnx
    from onnx import numpy_helper

    model = onnx.parser.parse_model(GRAPH)
    with torch.no_grad():
        weights = _weights(generator)
    model.graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(torch.as_tensor(value).detach().numpy()), name)
        for name, value in weights.items()
    )
    sizes = {"T": len(generator.sizes), "V": sum(generator.sizes)}
    for value in (*model.graph.input, *model.graph.output):
        for axis in value.type.tensor_type.shape.dim:
            if axis.dim_param in sizes:
                axis.dim_value = sizes[axis.dim_param]
    onnx.checker.check_model(model)
    return model


def _weights(net: Generator) -> dict[str, Tensor]:
    """The tensors that GRAPH speaks of, by name."""
    sizes, first = torch.tensor(net.sizes), net.first
    count, most = len(sizes), int(sizes.max())
    value = torch.arange(most).expand(count, most)
    fits = value < sizes[:, None]
    outside = torch.zeros(count, most).masked_fill(~fits, OUTSIDE)
    heads = torch.stack([torch.nn.functional.pad(head, (0, most - head.shape[1])) for head in net.heads])
    priors, prior_places = _priors(net, most)
    features, number_places = _features(net)
    digits = torch.zeros(count, count, dtype=torch.int64)
    for i in range(count):
        for back in range(min(i, 2) + 1):
            digits[i - back, i] = number_places[i, back]
    width = features.shape[1]
    return {
        "first": first,
        "values": net.numbers.within(net.values.weight, first.tolist()),
        "given_values": net.given_numbers.within(net.given_values.weight, first.tolist())
        + net.given.repeat_interleave(sizes, 0),
        "digits": digits,
        "features": features,
        "features_first": number_places[:, 3],
        "number_places": number_places,
        "number_weights": _number_weights(net.numbers, count, width),
        "given_number_weights": _number_weights(net.given_numbers, count, width),
        "start": net.start,
        "weight0": net.weight0,
        "weight1": net.weight1,
        "bias1": net.bias1,
        "weight2": net.weight2,
        "bias2": net.bias2,
        "heads": heads,
        "priors": priors,
        "prior_places": prior_places,
        "columns": first[:, None] + torch.where(fits, value, 0),
        "outside": outside,
        "last": sizes - 1,
        "smallest": torch.full((count, 1), 1e-9),
        "largest": torch.full((count, 1), 1 - 1e-6),
    }


def _priors(net: Generator, most: int) -> tuple[Tensor, Tensor]:
    """All tables of priors [rows, most], and where a token's row is: how often the token before it and the one before
    that count, and the first row, int64 [tokens, 3]; see `Generator.at`."""
    tables, places, end = [], [], 0
    for i, (prior, depth) in enumerate(zip(net.priors, net.depth, strict=True)):
        table = prior.masked_fill(prior <= NEVER / 2, NEVER)
        table = table.reshape(-1, table.shape[-1])
        tables.append(torch.nn.functional.pad(table, (0, most - table.shape[1])))
        places.append((int(depth > 0), net.sizes[i - 1] if depth > 1 else 0, end))
        end += len(table)
    return torch.cat(tables), torch.tensor(places)


def _features(net: Generator) -> tuple[Tensor, Tensor]:
    """The features of all numbers of several tokens [rows, n], the first row of zeros; and where a number's row is: how
    often its last token and the two before count, and the first row, int64 [tokens, 4]; zeros for other tokens."""
    numbers = net.numbers
    parts = [numbers.parts[i] for i in numbers.several.values()]
    width = max((table.shape[1] for _, _, table in parts), default=1)
    tables, places, end = [torch.zeros(1, width)], torch.zeros(len(net.sizes), 4, dtype=torch.int64), 1
    for last, (_, sizes, table) in zip(numbers.several, parts, strict=True):
        places[last] = torch.tensor((1, sizes[-1], sizes[-1] * sizes[-2] if len(sizes) > 2 else 0, end))
        tables.append(torch.nn.functional.pad(table, (0, width - table.shape[1])))
        end += len(table)
    return torch.cat(tables), places


def _number_weights(numbers: Numbers, count: int, width: int) -> Tensor:
    """The weights of numbers of several tokens at their last ones, float [tokens, features, width]."""
    out = torch.zeros(count, width, numbers.weights[0].shape[1] if len(numbers.weights) else 1)
    for last, i in numbers.several.items():
        out[last, : len(numbers.weights[i])] = numbers.weights[i]
    return out
