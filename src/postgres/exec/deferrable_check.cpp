#include "postgres/exec/deferrable_check.hpp"

extern "C" {
#include "commands/trigger.h"
#include "utils/fmgrprotos.h"
}

namespace snapback {

DeferrableCheck::DeferrableCheck(Oid table, Oid index) : index_(index), exceptions_(std::uncaught_exceptions()) {
    call([&] {
        table_ = table_open(table, AccessShareLock);
        slot_ = MakeSingleTupleTableSlot(RelationGetDescr(table_), &TTSOpsVirtual);
        memory_ = AllocSetContextCreate(CurrentMemoryContext, "snapback check", ALLOCSET_SMALL_SIZES);
    });
}

DeferrableCheck::~DeferrableCheck() {
    // After an error, the (sub)transaction abort releases everything.
    if (std::uncaught_exceptions() == exceptions_)
        call_noexcept([&] {
            MemoryContextDelete(memory_);
            ExecDropSingleTupleTableSlot(slot_);
            table_close(table_, NoLock);
        });
}

void DeferrableCheck::operator()(Datum ctid) {
    call([&] {
        MemoryContext before = MemoryContextSwitchTo(memory_);
        slot_->tts_tid = *reinterpret_cast<ItemPointer>(DatumGetPointer(ctid));
        Trigger trigger{};
        trigger.tgconstrindid = index_;
        TriggerData event{};
        event.type = T_TriggerData;
        event.tg_event = TRIGGER_EVENT_INSERT | TRIGGER_EVENT_ROW; // AFTER has no bit of its own
        event.tg_relation = table_;
        event.tg_trigslot = slot_;
        event.tg_trigger = &trigger;
        LOCAL_FCINFO(arguments, 0);
        InitFunctionCallInfoData(*arguments, nullptr, 0, InvalidOid, reinterpret_cast<fmNodePtr>(&event), nullptr);
        unique_key_recheck(arguments);
        MemoryContextSwitchTo(before);
        MemoryContextReset(memory_);
    });
}

} // namespace snapback
