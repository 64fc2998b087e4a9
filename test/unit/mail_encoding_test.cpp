#include "core/utf8_text.hpp"
#include "mail/text/mail_encoding.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"

using namespace snapback;

namespace {

const std::string replacement = "\xEF\xBF\xBD";

/// Decode quoted-printable.
std::string decoded(const std::string &encoded) {
    std::string text;
    for (std::size_t i = 0; i < encoded.size(); i++) {
        if (encoded[i] != '=') {
            text += encoded[i];
        } else if (encoded[i + 1] == '\r') {
            i += 2;
        } else {
            text += static_cast<char>(std::stoi(encoded.substr(i + 1, 2), nullptr, 16));
            i += 2;
        }
    }
    return text;
}

} // namespace

TEST(ValidUtf8, ReplacesWhatIsNoCharacter) {
    EXPECT_EQ(valid_utf8("Blå\nHavn 港 \U0001F600"), "Blå\nHavn 港 \U0001F600");
    EXPECT_EQ(valid_utf8(""), "");
    EXPECT_EQ(valid_utf8("caf\xE9"), "caf" + replacement);
    EXPECT_EQ(valid_utf8("\xFF\xC3"), replacement + replacement);
}

TEST(OneLine, KeepsGoodTextAsItIs) {
    EXPECT_EQ(one_line("Blå Havn 港 \U0001F600"), "Blå Havn 港 \U0001F600");
    EXPECT_EQ(one_line(""), "");
}

TEST(OneLine, PutsSpacesForWhatBreaksOrTurnsLines) {
    EXPECT_EQ(one_line("a\r\nb\tc\x1b"
                       "d\x7f"
                       "e"),
              "a  b c d e");
    EXPECT_EQ(one_line("a\u0085b\u2028c\u2029d\u202Ee\u2066f\u200Fg\u061Ch\uFEFFi"), "a b c d e f g h i");
    EXPECT_EQ(one_line(std::string("a\0b", 3)), "a b");
}

TEST(OneLine, ReplacesInvalidUtf8) {
    EXPECT_EQ(one_line("a\xFF"
                       "b"),
              "a" + replacement + "b");
    EXPECT_EQ(one_line("\xC0\x80"), replacement + replacement);                   // overlong
    EXPECT_EQ(one_line("\xE0\x80\x80"), replacement + replacement + replacement); // overlong
    EXPECT_EQ(one_line("\xED\xA0\x80"), replacement + replacement + replacement); // surrogate
    EXPECT_EQ(one_line("\xF4\x90\x80\x80"), replacement + replacement + replacement + replacement);
    EXPECT_EQ(one_line("\xF8"), replacement);
    EXPECT_EQ(one_line("\xC3"), replacement); // cut off
    EXPECT_EQ(one_line("\xC3x"), replacement + "x");
}

TEST(OneLine, CountsCharacters) {
    EXPECT_EQ(one_line("ääää", 4), "ääää");
    EXPECT_EQ(one_line("äääää", 4), "ääää…");
}

TEST(Header, LeavesShortAsciiAsItIs) {
    EXPECT_EQ(text_header("Subject", "Approve the restore"), "Subject: Approve the restore\r\n");
}

TEST(Header, EncodesTheRest) {
    EXPECT_EQ(text_header("Subject", "Blå"), "Subject: =?UTF-8?B?QmzDpQ==?=\r\n");
    EXPECT_EQ(text_header("Subject", "=?x"), "Subject: =?UTF-8?B?PT94?=\r\n");
    std::string header = text_header("Subject", std::string(300, 'x') + "ä");
    for (std::size_t begin = 0, end; begin < header.size(); begin = end + 2) {
        end = header.find("\r\n", begin);
        EXPECT_LE(end - begin, 78u);
        EXPECT_TRUE(begin == 0 || header[begin] == ' ');
    }
}

TEST(Header, CutsBetweenCharacters) {
    std::string text;
    for (int i = 0; i < 100; i++)
        text += "ä";
    std::string header = text_header("X", text);
    EXPECT_EQ(header.find("=?UTF-8?B?"), 3u);
    for (std::size_t at = header.find("?B?"); at != std::string::npos; at = header.find("?B?", at + 1))
        EXPECT_EQ(header.substr(at + 3, 2), "w6"); // each word begins with a complete character
}

TEST(Header, IsOneHeader) {
    std::string header = text_header("Subject", "a\r\nBcc: eve@example.org");
    EXPECT_EQ(header.find("\r\n"), header.size() - 2);
    EXPECT_THROW(plain_header("To", "a\r\nBcc: b"), Error);
    EXPECT_THROW(plain_header("To", "\xC3\xA4"), Error);
    EXPECT_EQ(plain_header("To", "<a@b>"), "To: <a@b>\r\n");
}

TEST(Date, IsInTheFormOfMail) {
    EXPECT_EQ(mail_date(0), "Thu, 01 Jan 1970 00:00:00 +0000");
    EXPECT_EQ(mail_date(1709210096), "Thu, 29 Feb 2024 12:34:56 +0000");
}

TEST(QuotedPrintable, EndsLinesWithCrLf) {
    EXPECT_EQ(quoted_printable("a\nb\n"), "a\r\nb\r\n");
    EXPECT_EQ(quoted_printable("a\n\nb"), "a\r\n\r\nb\r\n");
    EXPECT_EQ(quoted_printable(""), "");
}

TEST(QuotedPrintable, EncodesWhatMailWouldChange) {
    EXPECT_EQ(quoted_printable("ä=\t\r"), "=C3=A4=3D=09=0D\r\n");
    EXPECT_EQ(quoted_printable("end \n"), "end=20\r\n");
    EXPECT_EQ(quoted_printable(".\n..a\n a.b"), "=2E\r\n=2E.a\r\n a.b\r\n");
}

TEST(QuotedPrintable, KeepsLinesShortAndReadsBack) {
    for (const std::string &unit :
         {std::string("x"), std::string("ä"), std::string("."), std::string(" ."), std::string("=")}) {
        for (std::size_t count = 60; count < 170; count++) {
            std::string text;
            for (std::size_t i = 0; i < count; i++)
                text += unit;
            std::string encoded = quoted_printable(text);
            EXPECT_EQ(decoded(encoded), text + "\r\n");
            for (std::size_t begin = 0, end; begin < encoded.size(); begin = end + 2) {
                end = encoded.find("\r\n", begin);
                ASSERT_LE(end - begin, 76u);
                ASSERT_NE(encoded[begin], '.');
            }
        }
    }
}

TEST(Html, IsEscaped) {
    EXPECT_EQ(html_escape("<a href=\"x\">'&'</a>"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
}
