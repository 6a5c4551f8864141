#pragma once

#include <atomic>
#include <functional>
#include <string>

namespace llamatune {

struct device_test_options {
    std::string device; // one GPU by its name, or "cpu"
    std::string folder; // for temporary models
};

template <class V>
void fields(V & v, device_test_options & o) {
    v("device", o.device);
    v("folder", o.folder);
}

// One tiny model on the device, compared with the CPU in F32. Errors are relative to the CPU's values.
struct device_test {
    std::string architecture, type; // type of the weights
    double loss_error, logits_error;
    double gradient_error; // the largest of any LoRA matrix
    std::string worst_gradient;
    double first_loss, last_loss; // of a short training
    bool passed;
};

template <class V>
void fields(V & v, device_test & t) {
    v.type("test");
    v("architecture", t.architecture);
    v("weightType", t.type);
    v("lossError", t.loss_error);
    v("logitsError", t.logits_error);
    v("gradientError", t.gradient_error);
    v("worstGradient", t.worst_gradient);
    v("firstLoss", t.first_loss);
    v("lastLoss", t.last_loss);
    v("passed", t.passed);
}

// Tests training and generation on a device with models of several architectures and weight types, made for the test.
// Throws error DEVICE_NOT_FOUND, ABORTED, and the errors of training.
void test_device(const device_test_options & options, const std::function<void(const device_test &)> & on_test,
                 const std::atomic<bool> & stop);

}
