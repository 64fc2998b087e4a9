#include "mail/smtp.hpp"

#include <curl/curl.h>
#include <pthread.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <exception>
#include <memory>
#include <string_view>

#include "core/error.hpp"

namespace snapback {

namespace {

/// Blocks signals while libcurl runs. Its resolver thread inherits the mask, so it never runs a signal handler of the
/// server.
class SignalsBlocked {
public:
    SignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, &before_);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsBlocked(const SignalsBlocked &) = delete;
    SignalsBlocked &operator=(const SignalsBlocked &) = delete;

    /// Unblock signals while a function runs, so that pending ones are handled.
    template <class Function> void lift_for(Function &&function) const {
        sigset_t blocked;
        pthread_sigmask(SIG_SETMASK, &before_, &blocked);
        function();
        pthread_sigmask(SIG_SETMASK, &blocked, nullptr);
    }

private:
    sigset_t before_{};
};

/// The progress callback of a transfer. libcurl waits for the answer to a whole message in one call, and calls this
/// meanwhile. An exception must not cross libcurl, so it is stored until libcurl has returned; by then libcurl has
/// closed the connection. Otherwise it would first send QUIT and wait for the server.
struct TransferCallback {
    const std::function<void()> &on_progress;
    const SignalsBlocked *blocked = nullptr;
    std::exception_ptr thrown;

    static int call(void *self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
        auto &callback = *static_cast<TransferCallback *>(self);
        if (!callback.thrown && callback.blocked)
            callback.blocked->lift_for([&] {
                try {
                    callback.on_progress();
                } catch (...) {
                    callback.thrown = std::current_exception();
                }
            });
        return callback.thrown ? 1 : 0;
    }
};

/// The source from which libcurl reads the message in pieces.
struct Source {
    std::string_view rest;

    static std::size_t read(char *buffer, std::size_t size, std::size_t count, void *self) {
        std::string_view &rest = static_cast<Source *>(self)->rest;
        std::size_t length = std::min(size * count, rest.size());
        std::memcpy(buffer, rest.data(), length);
        rest.remove_prefix(length);
        return length;
    }
};

/// One connection to a mail server: handles, recipient, message.
class Conversation {
public:
    Conversation(const MailServer &server, const std::string &from, const std::string &to, const std::string &message,
                 const std::function<void()> &on_progress);
    ~Conversation();
    Conversation(const Conversation &) = delete;
    Conversation &operator=(const Conversation &) = delete;

    Delivery run();

private:
    template <class Argument> void set(CURLoption option, Argument argument);
    void set_security(const MailServer &server);
    bool advance();
    Delivery judge(CURLcode code) const;

    std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> mail_;
    std::unique_ptr<CURLM, decltype(&curl_multi_cleanup)> transfers_;
    std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> recipients_;
    Source source_;
    TransferCallback callback_;
    std::array<char, CURL_ERROR_SIZE> error_{};
    std::chrono::steady_clock::time_point deadline_;
};

[[noreturn]] void fail(const char *what, const char *why) {
    throw Error(sqlstate::internal_error, std::string("libcurl: ") + what + ": " + why);
}

template <class Argument> void Conversation::set(CURLoption option, Argument argument) {
    if (CURLcode code = curl_easy_setopt(mail_.get(), option, argument); code != CURLE_OK)
        fail("an option is not supported", curl_easy_strerror(code));
}

/// Set up TLS for the whole connection or not at all; the certificate must be valid for the server's name.
void Conversation::set_security(const MailServer &server) {
    set(CURLOPT_USE_SSL, static_cast<long>(server.require_tls ? CURLUSESSL_ALL : CURLUSESSL_TRY));
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!server.ca_file.empty()) {
        set(CURLOPT_CAINFO, server.ca_file.c_str());
        set(CURLOPT_CAPATH, nullptr);
    }
    if (!server.user.empty()) {
        set(CURLOPT_USERNAME, server.user.c_str());
        set(CURLOPT_PASSWORD, server.password.c_str());
    }
}

Conversation::Conversation(const MailServer &server, const std::string &from, const std::string &to,
                           const std::string &message, const std::function<void()> &on_progress)
    : mail_(curl_easy_init(), curl_easy_cleanup), transfers_(curl_multi_init(), curl_multi_cleanup),
      recipients_(curl_slist_append(nullptr, ("<" + to + ">").c_str()), curl_slist_free_all), source_{message},
      callback_{on_progress, nullptr, nullptr},
      deadline_(std::chrono::steady_clock::now() + std::chrono::seconds(server.timeout_seconds + 1)) {
    if (!mail_ || !transfers_ || !recipients_)
        fail("no handle", "out of memory");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_ERRORBUFFER, error_.data());
    set(CURLOPT_URL, server.url.c_str());
#if LIBCURL_VERSION_NUM >= 0x075500
    set(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
#else
    set(CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_SMTP | CURLPROTO_SMTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    set(CURLOPT_QUICK_EXIT, 1L); // do not wait for a resolver that hangs
#endif
    set(CURLOPT_PROXY, "");
    set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    set(CURLOPT_TIMEOUT, static_cast<long>(server.timeout_seconds));
    set_security(server);
    set(CURLOPT_MAIL_FROM, ("<" + from + ">").c_str());
    set(CURLOPT_MAIL_RCPT, recipients_.get());
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_READFUNCTION, &Source::read);
    set(CURLOPT_READDATA, static_cast<void *>(&source_));
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &TransferCallback::call);
    set(CURLOPT_XFERINFODATA, static_cast<void *>(&callback_));
    if (CURLMcode code = curl_multi_add_handle(transfers_.get(), mail_.get()); code != CURLM_OK)
        fail("cannot begin", curl_multi_strerror(code));
}

/// End the connection without waiting for a reply to QUIT, so that a slow server cannot delay us.
Conversation::~Conversation() {
    SignalsBlocked blocked;
    curl_socket_t socket = CURL_SOCKET_BAD;
    if (curl_easy_getinfo(mail_.get(), CURLINFO_ACTIVESOCKET, &socket) == CURLE_OK && socket != CURL_SOCKET_BAD)
        ::shutdown(socket, SHUT_RD);
    curl_multi_remove_handle(transfers_.get(), mail_.get());
    transfers_.reset();
}

/// Continue for at most a tenth of a second; return whether the transfer is still running.
bool Conversation::advance() {
    SignalsBlocked blocked;
    callback_.blocked = &blocked;
    int running = 0;
    CURLMcode code = curl_multi_perform(transfers_.get(), &running);
    if (code == CURLM_OK && running > 0)
        code = curl_multi_poll(transfers_.get(), nullptr, 0, 100, nullptr);
    callback_.blocked = nullptr;
    if (callback_.thrown)
        std::rethrow_exception(callback_.thrown);
    if (code != CURLM_OK)
        fail("cannot continue", curl_multi_strerror(code));
    return running > 0;
}

/// Determine the outcome from libcurl's result and the server's last reply.
Delivery Conversation::judge(CURLcode code) const {
    if (code == CURLE_OK)
        return {Delivery::Outcome::sent, ""};
    long reply = 0;
    curl_easy_getinfo(mail_.get(), CURLINFO_RESPONSE_CODE, &reply);
    std::string error = error_[0] ? error_.data() : curl_easy_strerror(code);
    if (reply >= 400)
        error += " (reply of the server: " + std::to_string(reply) + ")";
    std::replace_if(
        error.begin(), error.end(), [](char c) { return c < 0x20 || c > 0x7E; }, '?');
    // If TLS failed, the server has not seen this mail, and the next try may succeed.
    bool about_tls =
        code == CURLE_USE_SSL_FAILED || code == CURLE_SSL_CONNECT_ERROR || code == CURLE_PEER_FAILED_VERIFICATION;
    bool final = reply >= 500 && reply < 600 && !about_tls;
    return {final ? Delivery::Outcome::refused : Delivery::Outcome::try_later, error};
}

Delivery Conversation::run() {
    while (advance())
        if (std::chrono::steady_clock::now() > deadline_)
            return {Delivery::Outcome::try_later, "timed out"};
    int left = 0;
    CURLMsg *ended = curl_multi_info_read(transfers_.get(), &left);
    if (!ended)
        fail("no result", "the transfer has not ended");
    return judge(ended->data.result);
}

} // namespace

Delivery send_mail(const MailServer &server, const std::string &from, const std::string &to, const std::string &message,
                   const std::function<void()> &on_progress) {
    static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (ready != CURLE_OK)
        fail("cannot be used", curl_easy_strerror(ready));
    return Conversation(server, from, to, message, on_progress).run();
}

} // namespace snapback
