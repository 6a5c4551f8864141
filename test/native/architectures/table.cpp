#include "architectures/table.h"

#include "harness.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace architectures {

namespace {

using json = nlohmann::ordered_json;

// The largest deviation of a gradient from the slopes of the loss, relative to the gradient.
constexpr double tolerance = 5e-4;

json to_json(const record & r) {
    json j;
    j["name"] = r.name;
    j["logits"] = r.logits;
    j["packed"] = r.packed;
    j["gradients"] = r.gradients;
    j["learns"] = r.learns;
    j["adapter"] = r.adapter;
    j["trained"] = r.trained;
    j["faint"] = r.faint;
    j["selected"] = r.selected;
    j["unread"] = r.unread;
    if (!r.problem.empty()) j["problem"] = r.problem;
    return j;
}

std::string table_path() { return harness::source_directory() + "/docs/architectures.json"; }

std::string joined(const std::vector<std::string> & names) {
    std::string all;
    for (const std::string & name : names) all += " " + name;
    return all;
}

}

record record_of(const row & r) {
    record out;
    out.name = r.name;
    out.logits = r.one_sequence < 1e-9 && r.three_sequences < 1e-9;
    out.packed = r.packed;
    out.learns = r.tenth_loss < 0.9 * r.first_loss;
    out.adapter = r.stock < 1e-8;
    out.gradients = r.composed < 1e-4 && r.problem.empty() && r.slopes < tolerance;
    out.trained = r.trained;
    out.faint = r.faint;
    out.selected = r.selected;
    out.unread = r.unread;
    out.problem = r.problem;
    return out;
}

std::vector<record> read_table() {
    std::ifstream file(table_path());
    std::vector<record> table;
    for (const json & j : json::parse(file)) {
        record r;
        r.name = j.at("name");
        r.logits = j.at("logits");
        r.packed = j.at("packed");
        r.gradients = j.at("gradients");
        r.learns = j.at("learns");
        r.adapter = j.at("adapter");
        r.trained = j.at("trained").get<std::vector<std::string>>();
        r.faint = j.at("faint").get<std::vector<std::string>>();
        r.selected = j.at("selected").get<std::vector<std::string>>();
        r.unread = j.at("unread").get<std::vector<std::string>>();
        r.problem = j.value("problem", "");
        table.push_back(r);
    }
    return table;
}

int write_table(const std::string & path, const std::vector<std::string> & names) {
    std::string text;
    int not_all = 0;
    std::vector<record> before;
    if (!names.empty()) before = read_table();
    for (const std::string & name : all_names()) {
        const auto kept = std::find_if(before.begin(), before.end(), [&](const record & r) { return r.name == name; });
        if (kept != before.end() && std::find(names.begin(), names.end(), name) == names.end()) {
            not_all += !kept->works();
            text += (text.empty() ? "[\n  " : ",\n  ") + to_json(*kept).dump();
            continue;
        }
        const row r = survey(name, batches::all);
        const record found = record_of(r);
        not_all += !found.works();
        std::printf("%-20s logits %.0e %.0e%s, slopes %.1e, composed %.0e, loss %.2f -> %.2f, stock %.0e%s%s\n",
                    name.c_str(), r.one_sequence, r.three_sequences, r.packed ? ", packs" : "", r.slopes, r.composed,
                    r.first_loss, r.tenth_loss, r.stock, r.problem.empty() ? "" : ": ", r.problem.c_str());
        std::fflush(stdout);
        text += (text.empty() ? "[\n  " : ",\n  ") + to_json(found).dump();
    }
    std::ofstream file(path, std::ios::binary);
    file << text << "\n]\n";
    file.close();
    std::printf("%d of %zu architectures do not work in every respect\n", not_all, all_names().size());
    return file ? 0 : 1;
}

std::string worse(const record & now, const record & before) {
    std::string lost;
    if (before.logits && !now.logits) lost += " logits differ from llama_decode's;";
    if (before.packed && !now.packed) lost += " samples cannot share a row;";
    if (before.learns && !now.learns) lost += " ten steps do not lower the loss;";
    if (before.adapter && !now.adapter) lost += " stock llama.cpp gives other logits with the adapter;";
    if (before.gradients && !now.gradients) lost += " gradients differ from the slopes;";
    std::vector<std::string> missing;
    std::set_difference(before.trained.begin(), before.trained.end(), now.trained.begin(), now.trained.end(),
                        std::back_inserter(missing));
    if (!missing.empty()) lost += " no longer trained:" + joined(missing) + ";";
    if (!lost.empty() && !now.problem.empty()) lost += " " + now.problem;
    return lost;
}

std::vector<record> tried(const std::vector<record> & table) {
#ifdef __SANITIZE_ADDRESS__
    std::vector<record> some;
    for (size_t i = 0; i < table.size(); i += 8) some.push_back(table[i]);
    return some;
#else
    return table;
#endif
}

std::vector<std::string> trainable() {
    std::vector<std::string> names;
    for (const record & r : tried(read_table())) {
        if (r.works()) names.push_back(r.name);
    }
    return names;
}

namespace {

void check(const record & before) {
    const row now = survey(before.name, std::getenv("LLAMATUNE_TEST_BATCHES") ? batches::all : batches::until_precise);
    const std::string lost = worse(record_of(now), before);
    if (lost.empty()) return;
    std::ostringstream os;
    os << "what was recorded but received" << lost << " (logits " << now.one_sequence << " " << now.three_sequences
       << ", slopes " << now.slopes << ", composed " << now.composed << ", loss " << now.first_loss << " -> "
       << now.tenth_loss << ", stock " << now.stock << ")";
    harness::fail(__FILE__, __LINE__, os.str());
}

}

void add_tests() {
    // A copy of the tests without the documentation has no table.
    if (!std::filesystem::exists(table_path())) return;
    for (const record & r : tried(read_table())) {
        harness::registry().push_back(
            {"architectures: " + r.name + " is not worse than in docs/architectures.json", [r] { check(r); }});
    }
}

}

TEST("architectures: docs/architectures.json lists all of them") {
    std::vector<std::string> listed;
    for (const auto & r : architectures::read_table()) listed.push_back(r.name);
    CHECK(architectures::all_names() == listed);
}

TEST("architectures: a row that got worse is detected") {
    architectures::record before;
    before.logits = before.packed = before.learns = before.adapter = before.gradients = true;
    before.trained = {"attn_k", "attn_q"};
    CHECK(worse(before, before).empty());
    architectures::record now = before;
    now.trained = {"attn_k", "attn_other"};
    CHECK(worse(now, before).find("attn_q") != std::string::npos);
    now = before;
    now.gradients = false;
    CHECK(!worse(now, before).empty() && worse(before, now).empty());
    now = before;
    now.adapter = false;
    CHECK(!worse(now, before).empty());
}
