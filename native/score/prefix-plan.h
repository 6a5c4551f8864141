#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace llamatune {

// The tokens of a sequence that a pass computes. They are not copied.
struct token_span {
    const int32_t * tokens;
    size_t size;
};

// The order of tokens, by which sequences that begin alike are neighbours.
bool precedes(const token_span & a, const token_span & b);
size_t common_length(const token_span & a, const token_span & b);

// Tokens that consecutive sequences [first, end) have in common: the positions from `begin` to `stop`. The first
// sequence computes them.
struct shared_run {
    size_t first, end;
    size_t begin, stop;
    size_t parent; // the sequence that has computed the positions before `begin`; meaningful if begin > 0
};

// A beginning is shared from this number of tokens on, because each level is a pass.
constexpr size_t least_shared = 8;

// The most tokens that a plan computes for a sequence after one with `common` equal tokens.
inline size_t most_computed(size_t size, size_t common) {
    return size - (common >= least_shared ? common - least_shared + 1 : 0);
}

// Plans how to compute sorted sequences so that common beginnings are computed once. The runs of a level need only
// those of the levels before. `can_share` false: every sequence is computed alone.
std::vector<std::vector<shared_run>> plan_shared_runs(const std::vector<token_span> & sorted, bool can_share);

}
