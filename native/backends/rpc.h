#pragma once

#include <ggml-backend.h>

#include <atomic>
#include <string>
#include <vector>

namespace llamatune {

// Within this scope, a call on this thread that waits for an RPC server throws RPC_SERVER_LOST two seconds after `stop`
// became true or, with a limit, when the answer takes longer than the limit. The connection stays open, since other
// runs may use it. Without a scope, a thread waits as long as the connection is open.
class rpc_timeout_scope {
public:
    explicit rpc_timeout_scope(const std::atomic<bool> & stop) : rpc_timeout_scope(&stop, 0) {}
    explicit rpc_timeout_scope(int limit_seconds); // with the `stop` of the enclosing scope
    ~rpc_timeout_scope();
    static bool is_to_stop(); // whether `stop` of this thread is set
    rpc_timeout_scope(const rpc_timeout_scope &) = delete;
    rpc_timeout_scope & operator=(const rpc_timeout_scope &) = delete;

private:
    rpc_timeout_scope(const std::atomic<bool> * stop, int limit_seconds);
    void apply() const;

    const std::atomic<bool> * stop_;
    int limit_seconds_;
    const rpc_timeout_scope * outer_;
};

constexpr int rpc_answer_seconds = 10; // limit for calls that a running server answers immediately

// The devices of llama.cpp RPC servers ("host:port"), in the order of the servers. They are not added to ggml's
// registry, from which llama.cpp takes its default devices. Throws error: RPC_UNREACHABLE, which lists the servers that
// did not answer within rpc_answer_seconds with the reasons; RPC_UNSUPPORTED in a build without the RPC back end.
std::vector<ggml_backend_dev_t> connect_rpc_servers(const std::vector<std::string> & servers);

// "host:port" of a device of an RPC server, or "".
std::string rpc_server_of(ggml_backend_dev_t device);

}
