#pragma once
#include <stdexcept>
#include <string>
#include <utility>

namespace snapback {

/// An error of the extension: a five-character SQLSTATE, a message, and optionally a detail and a hint. Any module may
/// throw it; only the boundary converts it to a PostgreSQL error.
class Error : public std::runtime_error {
public:
    Error(std::string sqlstate, const std::string &message)
        : std::runtime_error(message), sqlstate(std::move(sqlstate)) {}

    Error &&with_detail(std::string text) && {
        detail = std::move(text);
        return std::move(*this);
    }
    Error &&with_hint(std::string text) && {
        hint = std::move(text);
        return std::move(*this);
    }

    std::string sqlstate;
    std::string detail;
    std::string hint;
};

/// SQLSTATEs of the extension: standard PostgreSQL codes where one fits, class SB for errors specific to restores.
namespace sqlstate {
inline constexpr const char *out_of_memory = "53200";
inline constexpr const char *invalid_parameter = "22023";
inline constexpr const char *text_too_long = "22001";
inline constexpr const char *data_corrupted = "XX001";
inline constexpr const char *feature_not_supported = "0A000";
inline constexpr const char *object_not_in_state = "55000";
inline constexpr const char *lock_not_available = "55P03";
inline constexpr const char *serialization_failure = "40001";
inline constexpr const char *foreign_key_violation = "23503";
inline constexpr const char *unique_violation = "23505";
inline constexpr const char *not_null_violation = "23502";
inline constexpr const char *check_violation = "23514";
inline constexpr const char *exclusion_violation = "23P01";
inline constexpr const char *insufficient_privilege = "42501";
inline constexpr const char *undefined_object = "42704";
inline constexpr const char *undefined_column = "42703";
inline constexpr const char *active_transaction = "25001";
inline constexpr const char *trigger_protocol_violated = "39P01";
inline constexpr const char *internal_error = "XX000";
inline constexpr const char *unknown_option = "SB001";
inline constexpr const char *not_the_owner = "SB002";
inline constexpr const char *restores_not_enabled = "SB003";
inline constexpr const char *snapshot_expired = "SB004";
inline constexpr const char *option_not_in_snapshot = "SB005";
inline constexpr const char *too_many_requests = "SB006";
inline constexpr const char *unknown_community = "SB007";
inline constexpr const char *unknown_snapshot = "SB008";
inline constexpr const char *schema_changed = "SB009";
inline constexpr const char *restore_conflict = "SB010";
inline constexpr const char *plan_changed = "SB011";
inline constexpr const char *restore_obstructed = "SB012";
inline constexpr const char *no_community_path = "SB020";
inline constexpr const char *ambiguous_community_path = "SB021";
inline constexpr const char *no_row_key = "SB022";
inline constexpr const char *other_community_path = "SB023";
} // namespace sqlstate

} // namespace snapback
