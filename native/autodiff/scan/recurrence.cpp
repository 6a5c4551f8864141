#include "autodiff/scan/recurrence.h"

namespace llamatune {

ggml_tensor * recurrence::forward(ggml_tensor * a, ggml_tensor * b, ggml_tensor * before) {
    if (a->ne[1] == 1) { return ggml_add(ctx_, ggml_mul(ctx_, a, before), b); }
    ggml_tensor *a0 = every_second(a, 0), *a1 = every_second(a, 1), *b0 = every_second(b, 0), *b1 = every_second(b, 1);
    ggml_tensor * second = forward(ggml_mul(ctx_, a1, a0), ggml_add(ctx_, ggml_mul(ctx_, a1, b0), b1), before);
    ggml_tensor * first = ggml_add(ctx_, ggml_mul(ctx_, a0, later(second, before)), b0);
    return interleave(first, second);
}

ggml_tensor * recurrence::backward(ggml_tensor * a, ggml_tensor * b, ggml_tensor * after) {
    if (a->ne[1] == 1) { return ggml_add(ctx_, ggml_mul(ctx_, a, after), b); }
    ggml_tensor *a0 = every_second(a, 0), *a1 = every_second(a, 1), *b0 = every_second(b, 0), *b1 = every_second(b, 1);
    ggml_tensor * first = backward(ggml_mul(ctx_, a0, a1), ggml_add(ctx_, ggml_mul(ctx_, a0, b1), b0), after);
    ggml_tensor * second = ggml_add(ctx_, ggml_mul(ctx_, a1, earlier(first, after)), b1);
    return interleave(first, second);
}

ggml_tensor * recurrence::later(ggml_tensor * t, ggml_tensor * before) {
    return t->ne[1] == 1 ? before : ggml_concat(ctx_, before, tokens(t, 0, t->ne[1] - 1), 1);
}

ggml_tensor * recurrence::earlier(ggml_tensor * t, ggml_tensor * after) {
    return t->ne[1] == 1 ? after : ggml_concat(ctx_, tokens(t, 1, t->ne[1] - 1), after, 1);
}

ggml_tensor * recurrence::tokens(ggml_tensor * t, int64_t first, int64_t n) {
    return ggml_view_3d(ctx_, t, t->ne[0], n, t->ne[2], t->nb[1], t->nb[2], first * t->nb[1]);
}

ggml_tensor * recurrence::every_second(ggml_tensor * t, int64_t first) {
    return ggml_view_3d(ctx_, t, t->ne[0], t->ne[1] / 2, t->ne[2], 2 * t->nb[1], t->nb[2], first * t->nb[1]);
}

ggml_tensor * recurrence::interleave(ggml_tensor * first, ggml_tensor * second) {
    const auto apart = [&](ggml_tensor * t) { return ggml_reshape_4d(ctx_, t, t->ne[0], 1, t->ne[1], t->ne[2]); };
    ggml_tensor * both = ggml_concat(ctx_, apart(first), apart(second), 1);
    return ggml_reshape_3d(ctx_, both, first->ne[0], 2 * first->ne[1], first->ne[2]);
}

ggml_tensor * sum_second(tensor_arena & ctx, ggml_tensor * t) {
    const auto part = [&](int64_t first, int64_t n) {
        return ggml_view_4d(ctx, t, t->ne[0], n, t->ne[2], t->ne[3], t->nb[1], t->nb[2], t->nb[3], first * t->nb[1]);
    };
    while (t->ne[1] > 1) {
        const int64_t half = t->ne[1] / 2, odd = t->ne[1] % 2;
        ggml_tensor * sum = ggml_add(ctx, part(0, half), part(half, half));
        t = odd ? ggml_concat(ctx, sum, part(2 * half, 1), 1) : sum;
    }
    return t;
}

}
