#pragma once

#include <ggml-backend.h>

#include <atomic>
#include <string>
#include <vector>

namespace llamatune {

// While one lives, this thread's waits for RPC servers end: two seconds after `stop` turned true, and, with a limit,
// when one answer takes longer. What waited then throws RPC_SERVER_LOST; the connection stays, since other runs may use
// it. Without one, a thread waits for as long as the connection holds.
class rpc_patience {
public:
    explicit rpc_patience(const std::atomic<bool> & stop) : rpc_patience(&stop, 0) {}
    explicit rpc_patience(int limit_seconds); // with the outer one's stop
    ~rpc_patience();
    static bool is_to_stop(); // this thread's stop
    rpc_patience(const rpc_patience &) = delete;
    rpc_patience & operator=(const rpc_patience &) = delete;

private:
    rpc_patience(const std::atomic<bool> * stop, int limit_seconds);
    void apply() const;

    const std::atomic<bool> * stop_;
    int limit_seconds_;
    const rpc_patience * outer_;
};

constexpr int rpc_answer_seconds = 10; // for what a server that is there answers at once

// The devices of llama.cpp RPC servers ("host:port"), in the order of the servers. They are known to who asks for them
// and to nobody else: ggml's registry, from which llama.cpp takes its defaults, does not list them.
// Throws error: RPC_UNREACHABLE, naming every server that gave no answer within rpc_answer_seconds and why;
// RPC_UNSUPPORTED where the build has none.
std::vector<ggml_backend_dev_t> connect_rpc_servers(const std::vector<std::string> & servers);

// "host:port" of a device of an RPC server, or "".
std::string rpc_server_of(ggml_backend_dev_t device);

}
