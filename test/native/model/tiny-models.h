#pragma once

// Small models with random weights for tests, generated on first use.

#include "model-tools/create.h"
#include "model/load.h"

#include <memory>
#include <string>

namespace tiny {

// Makes a vocabulary of the 256 bytes, a few merges ("th", "the", " the", "he", "in", "an"), <|im_start|> and
// <|im_end|> (EOS).
llamatune::vocabulary_options byte_vocabulary();
constexpr int32_t n_tokens = 256 + 6 + 2;
constexpr int32_t im_start = 256 + 6;
constexpr int32_t im_end = im_start + 1;

// Options for a model of two layers of width 64 with the byte vocabulary, at `path`; qwen3moe has 8 experts of width
// 32, of which a token uses 2.
llamatune::create_options options(const std::string & architecture, const std::string & path);

// The path of that model with this weight type in the cache; it is recreated in each run of the tests.
std::string path(const std::string & architecture, const std::string & type = "F32");
std::shared_ptr<llamatune::model> load(const std::string & architecture, const std::string & type = "F32",
                                       bool repack = false);

// The path of a vocabulary of the vendored llama.cpp, e.g. "qwen2".
std::string vendored_vocabulary(const std::string & name);

// Returns an unused path in the cache folder.
std::string scratch(const std::string & file);

}
