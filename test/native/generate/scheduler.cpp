#include "architectures/table.h"
#include "generate/greedy.h"
#include "harness.h"
#include "model/tiny-models.h"

#include <llama.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <thread>

using namespace llamatune;

namespace {

using sequence_key = std::pair<int64_t, int32_t>;

struct answers {
    std::vector<generation_event> events;
    std::map<sequence_key, sequence_result> results;
    generation_totals totals;
};

answers run_all(const std::shared_ptr<model> & m, const generate_options & o, prompt_queue & prompts,
                const std::function<void(const token_event &)> & on_token = nullptr) {
    answers found;
    const auto on_event = [&](const generation_event & event) {
        found.events.push_back(event);
        if (const auto * token = std::get_if<token_event>(&event)) {
            if (on_token) on_token(*token);
        } else {
            const auto & r = std::get<sequence_result>(event);
            CHECK(found.results.emplace(sequence_key(r.prompt_index, r.sample_index), r).second);
        }
    };
    found.totals = generate(m, o, prompts, on_event, never);
    return found;
}

answers run_all(const std::shared_ptr<model> & m, const generate_options & o, const std::vector<prompt> & list) {
    prompt_queue prompts;
    for (const prompt & each : list) prompts.add(each);
    prompts.close();
    return run_all(m, o, prompts);
}

// Prompts that differ from each other after `common` tokens, with these lengths and this number of samples each.
std::vector<prompt> prompts_of(const std::vector<int32_t> & lengths, int32_t common, int32_t n_samples,
                               int32_t n_vocab = 256) {
    std::vector<prompt> list;
    for (const int32_t length : lengths) {
        prompt p;
        p.index = int64_t(list.size());
        for (int32_t i = 0; i < length; i++)
            p.tokens.push_back((i * 37 + 5 + (i >= common ? int32_t(p.index) * (i + 11) : 0)) % n_vocab);
        for (int32_t s = 0; s < n_samples; s++) p.seeds.push_back(uint64_t(p.index * 100 + s));
        list.push_back(p);
    }
    return list;
}

one_prompt sampled(int32_t max_tokens, int32_t parallel, int32_t n_samples = 1) {
    one_prompt o;
    o.n_threads = 1;
    o.max_tokens = max_tokens;
    o.parallel = parallel;
    o.samples = n_samples;
    o.sampling.temperature = 1.0f;
    o.sampling.ignore_eos = true;
    return o;
}

std::shared_ptr<model> loaded(const std::string & path) {
    load_options o;
    o.path = path;
    return model::load(o);
}

// Checks that each sequence is the one that its prompt and seed give alone.
void check_alone(const std::shared_ptr<model> & m, one_prompt o, const std::vector<prompt> & list, const answers & a) {
    o.parallel = o.samples = 1;
    size_t n = 0;
    for (const prompt & p : list) {
        for (size_t s = 0; s < p.seeds.size(); s++, n++) {
            o.prompt = p.tokens;
            o.sampling.seed = p.seeds[s];
            const auto alone = run(m, o);
            const auto & together = a.results.at({p.index, int32_t(s)});
            CHECK(together.tokens == alone.tokens);
            CHECK_EQ(together.text, alone.text);
            CHECK_EQ(together.seed, p.seeds[s]);
            CHECK(together.reason == alone.reason);
        }
    }
    CHECK_EQ(a.results.size(), n);
}

}

TEST("generate: every architecture answers in a batch as it does alone") {
    size_t n_shared = 0;
    for (const auto & row : architectures::tried(architectures::read_table())) {
        const auto m = loaded(harness::arch_model(row.name));
        if (llama_model_has_encoder(m->handle()) || !llama_model_has_decoder(m->handle())) continue;
        if (llama_model_is_diffusion(m->handle())) continue;
        const int32_t n_vocab = std::min(llama_vocab_n_tokens(llama_model_get_vocab(m->handle())), 250);
        const auto list = prompts_of({12, 40, 140, 120}, 70, 2, n_vocab);
        const one_prompt o = sampled(4, 3, 2);
        const answers a = run_all(m, o, list);
        n_shared += a.totals.shared_prompt_tokens > 0;
        try {
            check_alone(m, o, list, a);
        } catch (const harness::failure & f) { throw harness::failure(row.name + ": " + f.what()); }
    }
    CHECK(n_shared > 0);
}

TEST("generate: samples share their prompt, and prompts share what they have in common") {
    const auto m = tiny::load("qwen3");
    const auto list = prompts_of({200, 180, 190}, 100, 4);
    const one_prompt o = sampled(12, 4, 4);
    const answers a = run_all(m, o, list);
    check_alone(m, o, list, a);
    CHECK_EQ(a.totals.prompt_tokens, int64_t(4 * (200 + 180 + 190)));
    CHECK_EQ(a.totals.shared_prompt_tokens, int64_t(3 * (200 + 180 + 190) + 2 * 100));
    CHECK_EQ(a.results.at({0, 0}).shared_prompt_tokens, int64_t(0));
    CHECK_EQ(a.results.at({0, 3}).shared_prompt_tokens, int64_t(200));
    CHECK_EQ(a.results.at({1, 0}).shared_prompt_tokens, int64_t(100));
    CHECK_EQ(a.totals.generated_tokens, int64_t(12 * 12));
    CHECK_EQ(a.totals.parallel, 4);
}

TEST("generate: a model with a state computes a prompt once for all of its samples") {
    for (const char * architecture : {"mamba", "falcon-h1"}) {
        const auto m = loaded(harness::arch_model(architecture));
        const auto list = prompts_of({90, 80}, 0, 5, 100);
        const one_prompt o = sampled(6, 2, 5);
        const answers a = run_all(m, o, list);
        check_alone(m, o, list, a);
        CHECK_EQ(a.totals.shared_prompt_tokens, int64_t(4 * (90 + 80)));
    }
}

TEST("generate: quantized and packed models answer in a batch as alone, past a sliding window") {
    for (const char * architecture : {"gemma3", "qwen3moe"}) {
        for (const bool repack : {false, true}) {
            const auto m = tiny::load(architecture, "Q8_0", repack);
            const auto list = prompts_of({300, 20, 150}, 90, 2);
            one_prompt o = sampled(30, 5, 2);
            for (const float temperature : {0.0f, 1.0f}) {
                o.sampling.temperature = temperature;
                check_alone(m, o, list, run_all(m, o, list));
            }
        }
    }
}

TEST("generate: a finished sequence makes room for a waiting one at once") {
    const auto m = tiny::load("llama");
    one_prompt o = sampled(400, 3);
    o.sampling.grammar = "root ::= [a-z]{3} | [A-Z]{40}"; // short and long answers
    o.sampling.ignore_eos = false;
    auto list = prompts_of(std::vector<int32_t>(12, 20), 3, 1);
    const answers a = run_all(m, o, list);
    check_alone(m, o, list, a);
    std::set<int64_t> active, started;
    for (size_t i = 0; i < a.events.size(); i++) {
        if (const auto * r = std::get_if<sequence_result>(&a.events[i])) {
            active.erase(r->prompt_index);
            continue;
        }
        const int64_t index = std::get<token_event>(a.events[i]).prompt_index;
        active.insert(index);
        if (started.insert(index).second) CHECK_EQ(index, int64_t(started.size()) - 1); // in their order
        CHECK(active.size() <= 3);
    }
    CHECK_EQ(started.size(), list.size());
    // Every pass but the last ones has three sequences, so the steps are about a third of the tokens.
    int64_t longest = 0;
    for (const auto & [key, r] : a.results) longest = std::max(longest, r.generated_tokens);
    CHECK(longest >= 40);
    CHECK_EQ(a.totals.parallel, 3);
}

TEST("generate: prompts that come one by one are answered while earlier ones run") {
    const auto m = tiny::load("qwen3");
    const auto list = prompts_of({30, 100, 250, 260, 400}, 10, 1); // each needs a larger context than the one before
    const one_prompt o = sampled(20, 2);
    prompt_queue prompts;
    size_t n_added = 0;
    std::thread feeder([&] { prompts.add(list[n_added++]); });
    const answers a = run_all(m, o, prompts, [&](const token_event &) {
        if (n_added < list.size())
            prompts.add(list[n_added++]);
        else
            prompts.close();
    });
    feeder.join();
    check_alone(m, o, list, a);
}

TEST("generate: a sequence that fails does not stop the others") {
    const auto m = tiny::load("llama");
    auto list = prompts_of({20, 0, 600, 30, 20}, 5, 2);
    list[4].tokens[3] = 99999;
    one_prompt o = sampled(8, 4, 2);
    const answers a = run_all(m, o, list);
    CHECK_EQ(a.results.size(), size_t(10));
    const std::map<int64_t, std::string> codes = {
        {1, "PROMPT_EMPTY"}, {2, "PROMPT_TOO_LONG"}, {4, "TOKEN_OUT_OF_RANGE"}};
    for (const auto & [key, r] : a.results) {
        const auto code = codes.find(key.first);
        CHECK_EQ(r.failure ? r.failure->code : "", code == codes.end() ? "" : code->second);
        CHECK_EQ(r.generated_tokens, int64_t(code == codes.end() ? 8 : 0));
        CHECK((r.reason == finish_reason::error) == r.failure.has_value());
        CHECK(!r.failure || !r.failure->message.empty());
    }
    check_alone(m, o, {list[0]}, {{}, {{{0, 0}, a.results.at({0, 0})}, {{0, 1}, a.results.at({0, 1})}}, {}});
    o.sampling.grammar = "root ::= ("; // wrong for every sequence
    CHECK_ERROR("GRAMMAR_INVALID", run_all(m, o, list));
}

TEST("generate: cancelled sequences end, running or waiting, and free their places") {
    const auto m = tiny::load("qwen3");
    const auto list = prompts_of({20, 25, 30, 35}, 5, 2);
    const one_prompt o = sampled(50, 2, 2);
    prompt_queue prompts;
    for (const prompt & each : list) prompts.add(each);
    prompts.close();
    int64_t seen = 0;
    const answers a = run_all(m, o, prompts, [&](const token_event & event) {
        if (event.prompt_index == 0 && event.sample_index == 1 && ++seen == 10) {
            prompts.cancel({0, 1});
            prompts.cancel({2, -1});
            prompts.cancel({77, -1}); // unknown: ignored
        }
    });
    CHECK_EQ(a.results.size(), size_t(8));
    for (const auto & [key, r] : a.results) {
        const bool cancelled = key == sequence_key(0, 1) || key.first == 2;
        CHECK(r.reason == (cancelled ? finish_reason::cancelled : finish_reason::length));
        CHECK_EQ(r.generated_tokens, int64_t(!cancelled ? 50 : key.first == 0 ? 10 : 0));
    }
    answers rest = a;
    for (const sequence_key key : {sequence_key(0, 1), {2, 0}, {2, 1}}) rest.results.erase(key);
    CHECK_EQ(rest.results.size(), size_t(5));
    rest.results.erase({0, 0});
    check_alone(m, o, {list[1], list[3]}, rest);
}

TEST("generate: the stop flag ends a run that waits for prompts") {
    const auto m = tiny::load("llama");
    prompt_queue prompts;
    std::atomic<bool> stop{false};
    std::thread stopper([&] { stop = true; });
    CHECK_ERROR("ABORTED", generate(m, sampled(4, 2), prompts, nullptr, stop));
    stopper.join();
}

TEST("generate: a limit on memory lowers the number of sequences that are decoded together") {
    const auto m = tiny::load("llama"); // 2 layers, keys and values of 64 numbers or less, F16, 256 positions
    const auto list = prompts_of({20, 20, 20, 20}, 20, 1);
    one_prompt o = sampled(8, 4);
    for (const auto & [limit, parallel] : std::map<int64_t, int32_t>{{0, 4}, {1, 1}, {int64_t(1) << 30, 4}}) {
        o.memory_limit = limit;
        const answers a = run_all(m, o, list);
        CHECK_EQ(a.totals.parallel, parallel);
        check_alone(m, o, list, a);
    }
}

TEST("generate: many sequences run in several passes of few tokens") {
    const auto m = tiny::load("llama");
    const auto list = prompts_of({40}, 40, 70);
    const one_prompt o = sampled(6, 70, 70);
    const answers a = run_all(m, o, list);
    CHECK_EQ(a.totals.parallel, 70);
    check_alone(m, o, list, a);
}

TEST("generate: repeatLastN -1 penalizes the whole context") {
    const auto m = tiny::load("qwen3");
    auto o = greedy(*m, "abcabcabc", 100);
    o.sampling.repeat_penalty = 1e6f;
    o.sampling.repeat_last_n = -1;
    std::set<int32_t> seen(o.prompt.begin(), o.prompt.end());
    for (const int32_t t : run(m, o).tokens) CHECK(seen.insert(t).second);
}
