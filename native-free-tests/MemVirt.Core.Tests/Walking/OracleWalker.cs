using MemVirt.Core.Faults;

namespace MemVirt.Core.Tests.Walking;

/// <summary>
/// A walker written from the manuals with none of the library's walking: Intel SDM Vol. 3A §4.5 to §4.8, Vol. 3C §28.3, AMD APM
/// Vol. 2 §15.25. CR0.WP=1, EFER.NXE=1, SMEP, SMAP and protection keys off; no reserved bits.
/// </summary>
internal sealed class OracleWalker(Dictionary<ulong, ulong> memory, OracleWalker.Stage stage, ulong stageRoot)
{
    internal enum Stage
    {
        None,
        Ept,
        Npt,
    }

    internal sealed record Page(
        ulong Address, int SizeLog2, bool Write, bool Execute, bool User, bool Read = true, bool Dirty = true);

    internal sealed record Outcome(TranslationStatus Status, Page? Page, bool InTable = false);

    internal Outcome Translate(ulong root, ulong linear, bool write, bool fetch, bool user)
    {
        ulong table = root;
        bool mayWrite = true, mayExecute = true, mayUser = true;
        for (int shift = 39; ; shift -= 9)
        {
            (TranslationStatus status, Page? at) = SecondStage(table, read: true, write: true, fetch: false);
            if (at is null)
            {
                return new Outcome(status, null, InTable: true);
            }

            ulong where = at.Address + (table & ((1UL << at.SizeLog2) - 1)) + (((linear >> shift) & 511) * 8);
            ulong entry = memory.GetValueOrDefault(where);
            if ((entry & 1) == 0)
            {
                return new Outcome(TranslationStatus.GuestNotPresent, null);
            }

            memory[where] = entry |= 1 << 5;
            mayWrite &= (entry & 2) != 0;
            mayUser &= (entry & 4) != 0;
            mayExecute &= entry >> 63 == 0;
            bool leaf = shift == 12 || (shift <= 30 && (entry & 0x80) != 0);
            if (!leaf)
            {
                table = entry & 0x000F_FFFF_FFFF_F000;
                continue;
            }

            if ((write && !mayWrite) || (fetch && !mayExecute) || (user && !mayUser))
            {
                return new Outcome(TranslationStatus.GuestProtection, null);
            }

            ulong inPage = (1UL << shift) - 1;
            ulong gpa = (entry & 0x000F_FFFF_FFFF_F000 & ~inPage) | (linear & inPage);
            (status, at) = SecondStage(gpa, read: !write && !fetch, write, fetch);
            if (at is null)
            {
                return new Outcome(status, null);
            }

            if (write)
            {
                // The leaf may have been changed by the second stage's own bits, where tables overlap.
                memory[where] = entry = memory[where] | (1 << 6);
            }

            int size = Math.Min(shift, at.SizeLog2);
            ulong hpa = at.Address + (gpa & ((1UL << at.SizeLog2) - 1));
            return new Outcome(TranslationStatus.Ok, new Page(
                hpa >> size << size,
                size,
                mayWrite && at.Write,
                mayExecute && at.Execute,
                mayUser,
                at.Read,
                (entry & (1 << 6)) != 0 && at.Dirty && mayWrite && at.Write));
        }
    }

    private (TranslationStatus Status, Page? Page) SecondStage(ulong gpa, bool read, bool write, bool fetch)
    {
        if (stage == Stage.None)
        {
            return (TranslationStatus.Ok, new Page(0, 52, true, true, true));
        }

        bool ept = stage == Stage.Ept;
        ulong accessed = ept ? 1UL << 8 : 1UL << 5;
        ulong dirty = ept ? 1UL << 9 : 1UL << 6;
        ulong table = stageRoot;
        bool mayRead = true, mayWrite = true, mayExecute = true, mayUser = true;
        for (int shift = 39; gpa >> 48 == 0; shift -= 9)
        {
            ulong where = table + (((gpa >> shift) & 511) * 8);
            ulong entry = memory.GetValueOrDefault(where);
            if ((entry & (ept ? 7UL : 1UL)) == 0)
            {
                break;
            }

            memory[where] = entry |= accessed;
            mayRead &= !ept || (entry & 1) != 0;
            mayWrite &= (entry & 2) != 0;
            mayExecute &= ept ? (entry & 4) != 0 : entry >> 63 == 0;
            mayUser &= ept || (entry & 4) != 0;
            if (shift != 12 && !(shift <= 30 && (entry & 0x80) != 0))
            {
                table = entry & 0x000F_FFFF_FFFF_F000;
                continue;
            }

            if ((read && !mayRead) || (write && !mayWrite) || (fetch && !mayExecute) || !mayUser)
            {
                return (TranslationStatus.SecondStageProtection, null);
            }

            if (write)
            {
                memory[where] = entry |= dirty;
            }

            ulong page = entry & 0x000F_FFFF_FFFF_F000 & ~((1UL << shift) - 1);
            return (TranslationStatus.Ok, new Page(page, shift, mayWrite, mayExecute, mayUser, mayRead, (entry & dirty) != 0));
        }

        return (TranslationStatus.SecondStageNotPresent, null);
    }
}
