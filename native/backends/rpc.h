#pragma once

#include <ggml-backend.h>

#include <atomic>
#include <string>
#include <vector>

namespace llamatune {

// While one lives, this thread stops waiting for RPC servers two seconds after `stop` became true, and, with a limit,
// when one answer takes longer than that: the call that waits throws RPC_SERVER_LOST. The connection stays, since other
// runs may use it. Without a scope, a thread waits for as long as the connection holds.
class rpc_timeout_scope {
public:
    explicit rpc_timeout_scope(const std::atomic<bool> & stop) : rpc_timeout_scope(&stop, 0) {}
    explicit rpc_timeout_scope(int limit_seconds); // with the stop of the scope around it
    ~rpc_timeout_scope();
    static bool is_to_stop(); // this thread's stop
    rpc_timeout_scope(const rpc_timeout_scope &) = delete;
    rpc_timeout_scope & operator=(const rpc_timeout_scope &) = delete;

private:
    rpc_timeout_scope(const std::atomic<bool> * stop, int limit_seconds);
    void apply() const;

    const std::atomic<bool> * stop_;
    int limit_seconds_;
    const rpc_timeout_scope * outer_;
};

constexpr int rpc_answer_seconds = 10; // for calls that a running server answers at once

// The devices of llama.cpp RPC servers ("host:port"), in the order of the servers. Only the caller knows them: ggml's
// registry, from which llama.cpp takes its defaults, does not list them.
// Throws error: RPC_UNREACHABLE, which names every server that did not answer within rpc_answer_seconds and why;
// RPC_UNSUPPORTED in a build without the RPC back end.
std::vector<ggml_backend_dev_t> connect_rpc_servers(const std::vector<std::string> & servers);

// "host:port" of a device of an RPC server, or "".
std::string rpc_server_of(ggml_backend_dev_t device);

}
