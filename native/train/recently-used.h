#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

namespace llamatune {

// Keeps the objects that were used last.
template <class T>
class recently_used {
public:
    explicit recently_used(size_t n) : most_(n) {}

    // Returns the object that `matches`, or makes it; `discard` is called with an object that is about to be deleted.
    template <class Matches, class Make, class Discard>
    T & get(Matches && matches, Make && make, Discard && discard) {
        const auto found =
            std::find_if(objects_.begin(), objects_.end(), [&](const std::unique_ptr<T> & t) { return matches(*t); });
        if (found != objects_.end()) {
            std::rotate(objects_.begin(), found, found + 1);
            return *objects_.front();
        }
        if (objects_.size() == most_) {
            discard(*objects_.back());
            objects_.pop_back();
        }
        objects_.insert(objects_.begin(), make());
        return *objects_.front();
    }

    const std::vector<std::unique_ptr<T>> & all() const { return objects_; }

private:
    size_t most_;
    std::vector<std::unique_ptr<T>> objects_; // the last used first
};

}
