// The mail worker sends due mails one after the other. It has no transaction open while it talks to the mail server.
// Each try to send an approval creates a secret that exists only in its memory; the hash is committed first.
#include <chrono>
#include <ctime>

#include "approval/workers.hpp"
#include "core/token.hpp"
#include "mail/smtp.hpp"
#include "mail/text/mail_message.hpp"
#include "postgres/lock/heavy_lock.hpp"
#include "postgres/spi/query.hpp"
#include "postgres/spi/utf8.hpp"
#include "settings/settings.hpp"

namespace snapback {

const WorkerKind mail_worker{"snapback_mail_worker_main", "pg_snapback mail worker"};

namespace {

struct ClaimedMail {
    std::string id;
    std::string request;
    std::optional<std::string> restore; ///< the restore whose result it reports; empty: an approval
    std::string token;
};

/// Create a secret for a request and store its hash.
std::string mint_token(Query &query, const std::string &request) {
    std::array<unsigned char, token_bytes> random{};
    if (!pg_strong_random(random.data(), random.size()))
        throw Error(sqlstate::internal_error, "could not generate a random secret");
    std::string token = token_text(random);
    query.run("INSERT INTO snapback.token (sha256, request) VALUES ($1, $2)",
              {Value::bytea(token_hash(token).view()), Value::uuid(request)});
    return token;
}

/// Claim the mail that is due first, if any, and commit its state with the hash of its secret.
std::optional<ClaimedMail> claim_mail() {
    std::optional<ClaimedMail> mail;
    WorkerTransaction transaction;
    {
        Query query;
        Row row = query.run("SELECT id, request, restore FROM snapback_internal.claim_mail()")[0];
        if (!row.is_null(1)) {
            mail = ClaimedMail{row.text(1), row.text(2), row.optional_text(3), ""};
            if (!mail->restore)
                mail->token = mint_token(query, mail->request);
        }
    }
    transaction.commit();
    return mail;
}

/// Read a value of the type snapback.plan_figures, whose columns begin with this one.
Figures read_figures(Row row, int column) {
    Figures figures;
    for (auto member : all_figures)
        figures.*member = static_cast<std::uint64_t>(row.bigint(column++));
    return figures;
}

std::vector<OptionInMail> read_options(Query &query, const std::string &request) {
    std::vector<OptionInMail> options;
    for (Row row : query.run("SELECT label, rows, (figures).* FROM snapback_internal.request_contents($1)",
                             {Value::uuid(request)}))
        options.push_back({to_utf8(row.text(1)), row.is_null(2) ? std::nullopt : std::optional(row.bigint(2)),
                           row.is_null(3) ? std::nullopt : std::optional(read_figures(row, 3))});
    return options;
}

std::vector<OptionInMail> read_side_effects(Query &query, const std::string &request) {
    std::vector<OptionInMail> touched;
    for (Row row :
         query.run("SELECT label, (figures).* FROM snapback_internal.request_side_effects($1)", {Value::uuid(request)}))
        touched.push_back({to_utf8(row.text(1)), std::nullopt, read_figures(row, 2)});
    return touched;
}

std::vector<PartInMail> read_parts(Query &query, const std::string &restore) {
    std::vector<PartInMail> parts;
    for (Row row :
         query.run("SELECT label, (figures).* FROM snapback_internal.restored_parts($1)", {Value::uuid(restore)}))
        parts.push_back({to_utf8(row.text(1)), read_figures(row, 2)});
    return parts;
}

std::vector<ChangeInMail> read_changes(Query &query, const std::string &restore) {
    std::vector<ChangeInMail> changes;
    for (Row row :
         query.run("SELECT label, (was).*, (now).* FROM snapback_internal.plan_changes($1)", {Value::uuid(restore)}))
        changes.push_back({to_utf8(row.text(1)), read_figures(row, 2), read_figures(row, 2 + all_figures.size())});
    return changes;
}

std::vector<std::string> in_utf8(std::vector<std::string> texts) {
    for (std::string &text : texts)
        text = to_utf8(text);
    return texts;
}

struct ComposedMail {
    std::string to;
    std::string message;
};

/// Compose the mail from the current state of the database.
ComposedMail compose_mail(const ClaimedMail &mail) {
    WorkerTransaction transaction;
    ComposedMail composed;
    {
        Query query;
        Row facts =
            query.run("SELECT recipient, name, requested_by, snapshot_at, expires_at, outcome, message, can_retry,"
                      " is_strict, skipped_options, notes, current_name FROM snapback_internal.mail_facts($1)",
                      {Value::uuid(mail.id)})[0];
        auto fact = [&](int column) { return to_utf8(facts.optional_text(column).value_or("")); };
        composed.to = fact(1);
        MailHead head{settings().mail_from, composed.to, mail.id, std::time(nullptr)};
        if (mail.restore)
            composed.message = compose(head, ResultMail{fact(2), fact(4), fact(6), fact(7),
                                                        facts.boolean(8) ? std::optional(fact(5)) : std::nullopt,
                                                        read_parts(query, *mail.restore),
                                                        read_changes(query, *mail.restore), fact(12)});
        else
            composed.message =
                compose(head, ApprovalMail{fact(2), fact(3), fact(4), fact(5), settings().approve_url, mail.token,
                                           read_options(query, mail.request), read_side_effects(query, mail.request),
                                           in_utf8(facts.text_array(10)), in_utf8(facts.text_array(11)),
                                           facts.boolean(9), fact(12)});
    }
    transaction.commit();
    return composed;
}

MailServer mail_server() {
    MailServer server{settings().smtp_url,     settings().smtp_user,        "",
                      settings().smtp_ca_file, settings().smtp_require_tls, settings().smtp_timeout_seconds};
    if (!server.user.empty())
        server.password = read_password_file(settings().smtp_password_file);
    return server;
}

/// Called while the worker waits for the mail server.
void on_progress() {
    serve_interrupts();
    if (database_is_wanted())
        throw Error(sqlstate::object_not_in_state, "another session needs exclusive access to the database");
}

/// Try to send a mail once. An error before the server's reply may be temporary, so the mail is retried; its
/// transaction has been rolled back.
Delivery try_to_send(const ClaimedMail &mail) {
    if (auto problem = unusable_mail_setting())
        return {Delivery::Outcome::try_later, std::string(*problem)};
    Delivery delivery;
    std::optional<UndoneError> error = attempt_transactions([&] {
        ComposedMail composed = compose_mail(mail);
        delivery = send_mail(mail_server(), settings().mail_from, composed.to, composed.message, on_progress);
    });
    return error ? Delivery{Delivery::Outcome::try_later, error->message} : delivery;
}

void record(const ClaimedMail &mail, const Delivery &delivery) {
    WorkerTransaction transaction;
    {
        Query query;
        if (delivery.outcome == Delivery::Outcome::sent)
            query.run("SELECT snapback_internal.note_mail_sent($1)", {Value::uuid(mail.id)});
        else
            query.run("SELECT snapback_internal.note_mail_failure($1, $2, $3)",
                      {Value::uuid(mail.id), Value::text(std::string_view(delivery.error)),
                       Value::boolean(delivery.outcome == Delivery::Outcome::refused)});
    }
    transaction.commit();
}

std::optional<std::int64_t> milliseconds_until_next() {
    std::optional<std::int64_t> wait;
    WorkerTransaction transaction;
    {
        Query query;
        Row row = query.run("SELECT snapback_internal.next_mail_in()")[0];
        if (!row.is_null(1))
            wait = row.bigint(1);
    }
    transaction.commit();
    return wait;
}

void reclaim_mail() {
    WorkerTransaction transaction;
    {
        Query query;
        query.run("SELECT snapback_internal.reclaim_mail()");
    }
    transaction.commit();
}

/// Become the only mail worker. Return false if another worker already waits for that: it will see all mails queued so
/// far.
bool become_the_worker() {
    if (!take_session_lock(LockSpace::next_mail_worker, 0, false))
        return false;
    take_session_lock(LockSpace::mail_worker, 0, true);
    release_session_lock(LockSpace::next_mail_worker, 0);
    return true;
}

/// Send due mails, and wait for mails due within a minute, looking for new ones every second.
void deliver_mail() {
    constexpr std::int64_t worth_waiting_for = 60'000;
    constexpr std::int64_t nap = 1'000;
    // A session reads the settings of ALTER DATABASE only when it starts. A new worker therefore replaces this one, to
    // use a changed mail server.
    constexpr std::chrono::minutes longest_life{2};
    if (!become_the_worker())
        return;
    reclaim_mail();
    auto retirement = std::chrono::steady_clock::now() + longest_life;
    for (;;) {
        if (std::chrono::steady_clock::now() > retirement || database_is_wanted())
            return milliseconds_until_next() ? hand_over_to(mail_worker) : void();
        if (std::optional<ClaimedMail> mail = claim_mail()) {
            record(*mail, try_to_send(*mail));
            continue;
        }
        std::optional<std::int64_t> wait = milliseconds_until_next();
        if (!wait || *wait > worth_waiting_for)
            return;
        sleep_in_worker(nap);
    }
}

} // namespace
} // namespace snapback

extern "C" {
PGDLLEXPORT void snapback_mail_worker_main(Datum database);

void snapback_mail_worker_main(Datum database) {
    snapback::entry([&] { snapback::run_worker(database, snapback::deliver_mail); });
}
}
