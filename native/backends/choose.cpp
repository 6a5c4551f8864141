#include "backends/choose.h"

#include "backends/backend-name.h"
#include "backends/rpc.h"
#include "core/error.h"

#include <algorithm>
#include <set>

namespace llamatune {

namespace {

bool is_gpu(ggml_backend_dev_t device) {
    const auto type = ggml_backend_dev_type(device);
    return type == GGML_BACKEND_DEVICE_TYPE_GPU || type == GGML_BACKEND_DEVICE_TYPE_IGPU;
}

std::vector<ggml_backend_dev_t> all_gpus() {
    std::vector<ggml_backend_dev_t> found;
    for (size_t i = 0; i < ggml_backend_dev_count(); i++) {
        if (is_gpu(ggml_backend_dev_get(i))) found.push_back(ggml_backend_dev_get(i));
    }
    return found;
}

std::string hardware_of(ggml_backend_dev_t device) {
    ggml_backend_dev_props props{};
    ggml_backend_dev_get_props(device, &props);
    return props.device_id ? props.device_id : "";
}

bool is_called(ggml_backend_dev_t device, const std::string & name) { // only an RPC server's device has a second name
    return lower_case(ggml_backend_dev_name(device)) == name ||
           (!name.empty() && lower_case(rpc_server_of(device)) == name);
}

error not_found(const std::string & names, const std::vector<ggml_backend_dev_t> & available) {
    std::string list = "cpu";
    for (ggml_backend_dev_t device : available) {
        list += std::string(", ") + ggml_backend_dev_name(device) + " (" + ggml_backend_dev_description(device) + ")";
    }
    return error("DEVICE_NOT_FOUND", "device not found: " + names + "; available: " + list,
                 "llamatune devices lists them. To build with a GPU back end, set LLAMATUNE_BACKENDS=vulkan (or cuda, "
                 "hip, metal) "
                 "and run npm rebuild llamatune");
}

// All devices of the back end or with the name `text`.
std::vector<ggml_backend_dev_t> matching(const std::string & text, const std::vector<ggml_backend_dev_t> & available) {
    const std::string word = lower_case(text);
    std::vector<ggml_backend_dev_t> found;
    for (ggml_backend_dev_t device : available) {
        if (backend_of(device) == word || is_called(device, word)) found.push_back(device);
    }
    return found;
}

std::vector<ggml_backend_dev_t> joined(std::vector<ggml_backend_dev_t> first,
                                       const std::vector<ggml_backend_dev_t> & second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

std::vector<std::string> words(const std::string & list) {
    std::vector<std::string> found(1);
    for (char c : list) {
        if (c == ',')
            found.emplace_back();
        else if (c != ' ')
            found.back() += c;
    }
    return found;
}

}

std::vector<ggml_backend_dev_t> local_gpus() {
    std::vector<ggml_backend_dev_t> discrete, integrated;
    std::set<std::string> seen; // a card that two back ends support is used once
    for (ggml_backend_dev_t device : all_gpus()) {
        const std::string hardware = hardware_of(device);
        if (!hardware.empty() && !seen.insert(hardware).second) continue;
        const bool is_discrete = ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_GPU;
        (is_discrete ? discrete : integrated).push_back(device);
    }
    if (discrete.empty() && !integrated.empty()) return {integrated.front()};
    return discrete;
}

std::vector<ggml_backend_dev_t> choose_devices(const std::string & wanted,
                                               const std::vector<ggml_backend_dev_t> & remote) {
    const std::vector<std::string> names = words(wanted);
    if (names.size() == 1 && lower_case(names[0]) == "auto") return joined(remote, local_gpus());
    if (names.size() == 1 && lower_case(names[0]) == "cpu") return {};
    const std::vector<ggml_backend_dev_t> available = joined(remote, all_gpus());
    std::vector<ggml_backend_dev_t> chosen;
    std::string missing;
    for (const std::string & word : names) {
        const std::vector<ggml_backend_dev_t> found = matching(word, available);
        if (found.empty()) missing += (missing.empty() ? "'" : ", '") + word + "'";
        for (ggml_backend_dev_t device : found) {
            if (std::find(chosen.begin(), chosen.end(), device) == chosen.end()) chosen.push_back(device);
        }
    }
    if (!missing.empty()) throw not_found(missing, available);
    return chosen;
}

ggml_backend_dev_t find_device(const std::string & name, const std::vector<ggml_backend_dev_t> & remote) {
    if (lower_case(name) == "cpu") return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    const std::vector<ggml_backend_dev_t> available = joined(remote, all_gpus());
    const std::vector<ggml_backend_dev_t> found = matching(name, available);
    if (found.empty()) throw not_found("'" + name + "'", available);
    return found.front();
}

}
