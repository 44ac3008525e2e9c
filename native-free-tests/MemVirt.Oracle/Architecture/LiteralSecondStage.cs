namespace MemVirt.Oracle.Architecture;

/// <summary>EPT (Intel SDM Vol. 3C §28.3) and nested paging (AMD APM Vol. 2 §15.25), as the manuals tell them.</summary>
public sealed class LiteralSecondStage(LiteralMemory memory)
{
    private LiteralStageInput _settings;

    /// <summary>Pages logged by the page-modification log, in order.</summary>
    public List<ulong> Logged { get; } = [];

    public ushort PmlIndex => _settings.PmlIndex;

    public void Set(in LiteralStageInput settings)
    {
        _settings = settings;
        Logged.Clear();
    }

    /// <summary>Translates one guest-physical access; false with the fault in <paramref name="outcome"/>.</summary>
    public bool Access(
        ulong gpa, bool read, bool write, bool fetch, bool table, bool userAddress, int cpl, ref LiteralOutcome outcome,
        out ulong hpa, out int shift, out bool readable, out bool writable, out bool executable)
    {
        (hpa, shift, readable, writable, executable) = (gpa, 30, true, true, true);
        switch (_settings.Kind)
        {
            case LiteralStage.None:
                return true;
            case LiteralStage.Ept:
                return Ept(gpa, read, write, fetch, table, userAddress, ref outcome, out hpa, out shift, out readable, out writable, out executable);
            default:
                return Npt(gpa, write, fetch, table, cpl, ref outcome, out hpa, out shift, out readable, out writable, out executable);
        }
    }

    /// <summary>The access to a guest's table entry: a read, and a write too where the stage keeps accessed and dirty flags.</summary>
    public bool AccessTable(ulong place, ref LiteralOutcome outcome, out ulong host, out bool flagsMayBeWritten)
    {
        bool write = _settings.Kind == LiteralStage.Npt || (_settings.Kind == LiteralStage.Ept && _settings.EptAccessedDirty);
        return Access(place, true, write, false, table: true, true, 3, ref outcome, out host, out _, out _, out flagsMayBeWritten, out _);
    }

    private bool Ept(
        ulong gpa, bool read, bool write, bool fetch, bool table, bool userAddress, ref LiteralOutcome outcome,
        out ulong hpa, out int shift, out bool readable, out bool writable, out bool executable)
    {
        (hpa, shift, readable, writable, executable) = (0, 12, false, false, false);
        ulong access = (read ? 1UL : 0) | (write ? 2UL : 0) | (fetch ? 4UL : 0) | (1UL << 7) | (table ? 0 : 1UL << 8);
        outcome.GuestPhysical = gpa;
        outcome.TableAccess = table;
        if (gpa >> (_settings.Levels == 5 ? 57 : 48) != 0)
        {
            // §28.3.2: bits above those that EPT translates.
            outcome.Kind = LiteralKind.EptViolation;
            outcome.Code = access;
            return false;
        }

        bool andR = true, andW = true, andX = true, andXu = true;
        ulong tableAddress = _settings.Root;
        for (int level = _settings.Levels; level >= 1; level--)
        {
            ulong place = tableAddress + (((gpa >> (12 + (9 * (level - 1)))) & 511) * 8);
            ulong entry = memory.Read(place);
            bool r = (entry & 1) != 0, w = (entry & 2) != 0, x = (entry & 4) != 0, xu = (entry & (1UL << 10)) != 0;
            bool present = r || w || x || (_settings.EptModeBased && xu);
            if (!present)
            {
                outcome.Kind = LiteralKind.EptViolation;
                outcome.Code = access;
                outcome.Convertible = entry >> 63 == 0;
                return false;
            }

            bool ps = (entry & 0x80) != 0;
            bool leaf = level == 1 || (ps && (level == 2 || level == 3));
            if (IsMisconfigured(entry, level, leaf, r, w, x, xu))
            {
                outcome.Kind = LiteralKind.EptMisconfiguration;
                outcome.Code = 0;
                return false;
            }

            andR &= r;
            andW &= w;
            andX &= x;
            andXu &= xu;
            if (!leaf)
            {
                if (_settings.EptAccessedDirty && (entry & 0x100) == 0)
                {
                    if (_settings.PmlOn && _settings.PmlIndex > 511)
                    {
                        outcome.Kind = LiteralKind.PmlFull;
                        outcome.Code = 0;
                        return false;
                    }

                    memory.Write(place, entry | 0x100);
                }

                tableAddress = entry & 0x000F_FFFF_FFFF_F000;
                continue;
            }

            // §28.3.3.2, and §28.3.3.3 for the execute bits under mode-based control.
            bool mayFetch = !_settings.EptModeBased ? andX : userAddress ? andXu : andX;
            if ((read && !andR) || (write && !andW) || (fetch && !mayFetch))
            {
                outcome.Kind = LiteralKind.EptViolation;
                outcome.Code = access | (andR ? 8UL : 0) | (andW ? 16UL : 0) | (andX ? 32UL : 0)
                               | (_settings.EptModeBased && andXu ? 64UL : 0);
                outcome.Convertible = entry >> 63 == 0;
                return false;
            }

            if (_settings.EptAccessedDirty)
            {
                ulong after = entry | 0x100 | (write ? 0x200UL : 0);
                if (after != entry)
                {
                    if (_settings.PmlOn && _settings.PmlIndex > 511)
                    {
                        outcome.Kind = LiteralKind.PmlFull;
                        outcome.Code = 0;
                        return false;
                    }

                    memory.Write(place, after);
                    if (_settings.PmlOn && ((after ^ entry) & 0x200) != 0)
                    {
                        Logged.Add(gpa & ~0xFFFUL);
                        _settings.PmlIndex--;
                    }
                }
            }

            shift = 12 + (9 * (level - 1));
            ulong offset = (1UL << shift) - 1;
            hpa = (entry & 0x000F_FFFF_FFFF_F000 & ~offset) | (gpa & offset);
            (readable, writable, executable) = (andR, andW, mayFetch);
            return true;
        }

        throw new InvalidOperationException("A level-1 entry is a leaf.");
    }

    /// <summary>§28.3.3.1, with the reserved bits of tables 28-1 to 28-7.</summary>
    private bool IsMisconfigured(ulong entry, int level, bool leaf, bool r, bool w, bool x, bool xu)
    {
        if (w && !r)
        {
            return true;
        }

        if (!r && !_settings.EptExecuteOnly && (x || (_settings.EptModeBased && xu)))
        {
            return true;
        }

        for (int bit = _settings.MaxPhysical; bit <= 51; bit++)
        {
            if ((entry & (1UL << bit)) != 0)
            {
                return true;
            }
        }

        if (!leaf)
        {
            return (entry & (level >= 4 ? 0xF8UL : 0x78UL)) != 0;
        }

        ulong type = (entry >> 3) & 7;
        return type is 2 or 3 or 7
               || (level == 2 && (entry & 0x1F_F000) != 0)
               || (level == 3 && ((entry & 0x3FFF_F000) != 0 || !_settings.Pages1G));
    }

    private bool Npt(
        ulong gpa, bool write, bool fetch, bool table, int cpl, ref LiteralOutcome outcome,
        out ulong hpa, out int shift, out bool readable, out bool writable, out bool executable)
    {
        (hpa, shift, readable, writable, executable) = (0, 12, false, false, false);

        // §15.25.6 and, of GMET, that fetches below CPL 3 are supervisor accesses under the rule of SMEP; all others are user accesses.
        bool supervisor = _settings.NptGmet && fetch && !table && cpl != 3;
        ulong code = (write ? 2UL : 0) | (supervisor ? 0 : 4UL) | (fetch && (_settings.NptNoExecute || _settings.NptGmet) ? 16UL : 0)
                     | (table ? 1UL << 33 : 1UL << 32);
        outcome.Kind = LiteralKind.NestedPageFault;
        outcome.GuestPhysical = gpa;
        outcome.TableAccess = table;
        if (gpa >> (_settings.Levels == 5 ? 57 : 48) != 0)
        {
            outcome.Code = code;
            return false;
        }

        bool andW = true, andU = true, andX = true;
        ulong tableAddress = _settings.Root;
        for (int level = _settings.Levels; level >= 1; level--)
        {
            ulong place = tableAddress + (((gpa >> (12 + (9 * (level - 1)))) & 511) * 8);
            ulong entry = memory.Read(place);
            if ((entry & 1) == 0)
            {
                outcome.Code = code;
                return false;
            }

            bool leaf = level == 1 || ((entry & 0x80) != 0 && level <= 3);
            if (LiteralGuest.IsReserved64(entry, level, leaf, _settings.MaxPhysical, _settings.NptNoExecute, amd: true, _settings.Pages1G))
            {
                outcome.Code = code | 1 | 8;
                return false;
            }

            andW &= (entry & 2) != 0;
            andU &= (entry & 4) != 0;
            andX &= entry >> 63 == 0;
            if (!leaf)
            {
                memory.Write(place, entry | 0x20);
                tableAddress = entry & 0x000F_FFFF_FFFF_F000;
                continue;
            }

            bool denied = (write && !andW) || (fetch && !andX) || (supervisor ? andU : !andU);
            if (denied)
            {
                outcome.Code = code | 1;
                return false;
            }

            memory.Write(place, entry | 0x20 | (write ? 0x40UL : 0));
            shift = 12 + (9 * (level - 1));
            ulong offset = (1UL << shift) - 1;
            hpa = (entry & 0x000F_FFFF_FFFF_F000 & ~offset) | (gpa & offset);
            (readable, writable) = (andU, andW && andU);
            executable = andX && (_settings.NptGmet && cpl != 3 ? !andU : andU);
            outcome.Kind = LiteralKind.Ok;
            return true;
        }

        throw new InvalidOperationException("A level-1 entry is a leaf.");
    }
}
