#include "score/prefix-plan.h"

#include <algorithm>

namespace llamatune {

namespace {

class planner {
public:
    planner(const std::vector<token_span> & sorted, bool can_share) : sorted_(sorted), common_(sorted.size(), 0) {
        for (size_t i = 1; can_share && i < sorted.size(); i++) common_[i] = common_length(sorted[i - 1], sorted[i]);
    }

    // Plans the sequences [first, end), whose positions before `begin` the sequence `parent` has computed.
    void plan(size_t first, size_t end, size_t begin, size_t parent, size_t level) {
        if (end - first == 1) return add({first, end, begin, sorted_[first].size, parent}, level);
        const size_t equal =
            *std::min_element(common_.begin() + ptrdiff_t(first) + 1, common_.begin() + ptrdiff_t(end));
        const bool shares = equal >= begin + least_shared;
        if (shares) add({first, end, begin, equal, parent}, level);
        for (size_t child = first, next; child < end; child = next) {
            next = child + 1;
            while (next < end && common_[next] > equal) next++;
            if (shares)
                plan(child, next, equal, first, level + 1);
            else
                plan(child, next, begin, parent, level);
        }
    }

    std::vector<std::vector<shared_run>> levels;

private:
    void add(const shared_run & run, size_t level) {
        if (run.begin == run.stop) return;
        if (levels.size() <= level) levels.resize(level + 1);
        levels[level].push_back(run);
    }

    const std::vector<token_span> & sorted_;
    std::vector<size_t> common_; // tokens that a sequence has in common with the one before
};

}

bool precedes(const token_span & a, const token_span & b) {
    return std::lexicographical_compare(a.tokens, a.tokens + a.size, b.tokens, b.tokens + b.size);
}

size_t common_length(const token_span & a, const token_span & b) {
    const size_t n = std::min(a.size, b.size);
    return size_t(std::mismatch(a.tokens, a.tokens + n, b.tokens).first - a.tokens);
}

std::vector<std::vector<shared_run>> plan_shared_runs(const std::vector<token_span> & sorted, bool can_share) {
    planner plans(sorted, can_share);
    if (!sorted.empty()) plans.plan(0, sorted.size(), 0, 0, 0);
    return plans.levels;
}

}
