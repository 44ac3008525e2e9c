using MemVirt.Core.Access;
using MemVirt.Core.Formats;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Stages;

/// <summary>What the sub-page-permission tables say of a write.</summary>
internal enum SubPageAnswer
{
    /// <summary>The page is not under sub-page permissions, or they withhold the write: an EPT violation.</summary>
    Denied,

    /// <summary>The 128 bytes are writable.</summary>
    Writable,

    /// <summary>A table is missing: SPPT miss.</summary>
    Missing,

    /// <summary>A table's entry is malformed: SPPT misconfiguration.</summary>
    Misconfigured,
}

/// <summary>
/// Sub-page write permissions (Intel SDM Vol. 3C §28.3.4): in a 4 KiB page that EPT maps without W and with bit 61, each 128 bytes
/// have a write right of their own, at bit 2i of a word that four levels of tables lead to.
/// </summary>
internal static class SubPagePermissions
{
    /// <summary>Bit 11 of the exit qualification of an SPP-related event: a miss, not a misconfiguration.</summary>
    internal const ulong MissingCode = 1UL << 11;

    private const int Levels = 4;
    private const ulong Valid = 1;
    private const ulong ReservedInTable = 0xFFE | (0xFFFUL << 52);
    private const ulong ReservedInLeaf = 0xAAAA_AAAA_AAAA_AAAA;

    /// <summary>Looks a write up. The EPT walk is done again to see whether nothing but the leaf withholds it.</summary>
    internal static SubPageAnswer Look<TFormat, TReader>(ref TReader reader, EntryRules rules, ulong subPageRoot, ulong eptRoot, ulong gpa)
        where TFormat : struct, IPageTableFormat
        where TReader : struct, ITableReader
    {
        if (!IsEligible<TFormat, TReader>(ref reader, rules, eptRoot, gpa))
        {
            return SubPageAnswer.Denied;
        }

        ulong table = subPageRoot;
        for (int level = Levels - 1; ; level--)
        {
            ulong entry = reader.Read(table + TableGeometry.EntryOffset(gpa, level), TableKind.SecondStage, level);
            if (level == 0)
            {
                int subPage = (int)(gpa >> 7) & 31;
                return (entry & ReservedInLeaf) != 0 ? SubPageAnswer.Misconfigured
                    : ((entry >> (2 * subPage)) & 1) != 0 ? SubPageAnswer.Writable
                    : SubPageAnswer.Denied;
            }

            if ((entry & Valid) == 0)
            {
                return SubPageAnswer.Missing;
            }

            if ((entry & ReservedInTable) != 0)
            {
                return SubPageAnswer.Misconfigured;
            }

            table = TableGeometry.TableAddress(entry);
        }
    }

    private static bool IsEligible<TFormat, TReader>(ref TReader reader, EntryRules rules, ulong eptRoot, ulong gpa)
        where TFormat : struct, IPageTableFormat
        where TReader : struct, ITableReader
    {
        AccessRights above = AccessRights.Unrestricted;
        ulong table = eptRoot;
        for (int level = TFormat.Levels - 1; ; level--)
        {
            ulong entry = reader.Read(table + TableGeometry.EntryOffset(gpa, level), TableKind.SecondStage, level);
            if ((entry & rules.PresentBits) == 0)
            {
                return false;
            }

            if (TFormat.IsLeaf(entry, level))
            {
                return level == 0 && (entry & EptFormat.SubPageWrite) != 0 && (above & AccessRights.Write) != 0;
            }

            above &= TFormat.Rights(entry);
            table = TFormat.TableAddress(entry);
        }
    }
}
