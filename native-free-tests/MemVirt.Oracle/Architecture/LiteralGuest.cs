namespace MemVirt.Oracle.Architecture;

/// <summary>Guest paging in every mode, over a second stage or none, as Intel SDM Vol. 3A ch. 4 tells it.</summary>
public sealed class LiteralGuest(LiteralMemory memory, LiteralSecondStage stage)
{
    private const ulong FrameMask = 0x000F_FFFF_FFFF_F000;

    public LiteralOutcome Translate(in LiteralInput input)
    {
        bool paging = (input.Cr0 & (1UL << 31)) != 0;
        bool pae = (input.Cr4 & (1 << 5)) != 0;
        bool longMode = paging && pae && (input.Efer & (1 << 8)) != 0;
        bool la57 = (input.Cr4 & (1 << 12)) != 0;
        if (!paging)
        {
            return Finish(in input, input.Linear & uint.MaxValue, new Path { R = true, W = true, X = true, U = true, Shift = 30 }, 0, 0, 0);
        }

        if (!pae)
        {
            return Walk32(in input);
        }

        if (!longMode)
        {
            ulong linear = input.Linear & uint.MaxValue;
            ulong pdpte = (linear >> 30) switch { 0 => input.Pdpte0, 1 => input.Pdpte1, 2 => input.Pdpte2, _ => input.Pdpte3 };
            return (pdpte & 1) == 0 ? PageFault(in input, present: false) : Walk64(in input, linear, pdpte & FrameMask, 2);
        }

        int levels = la57 ? 5 : 4;
        int unused = la57 ? 7 : 16;
        if ((ulong)((long)(input.Linear << unused) >> unused) != input.Linear)
        {
            return new LiteralOutcome { Kind = LiteralKind.NonCanonical };
        }

        return Walk64(in input, input.Linear, input.Cr3 & FrameMask, levels);
    }

    /// <summary>Tables 4-14 to 4-20 (levels 5 to 1 here), and AMD APM Vol. 2 §5.3.3 for the vendor's differences.</summary>
    internal static bool IsReserved64(ulong entry, int level, bool leaf, int maxPhysical, bool noExecute, bool amd, bool pages1G)
    {
        for (int bit = maxPhysical; bit <= 51; bit++)
        {
            if ((entry & (1UL << bit)) != 0)
            {
                return true;
            }
        }

        if (!noExecute && entry >> 63 != 0)
        {
            return true;
        }

        return level switch
        {
            >= 4 => (entry & 0x80) != 0 || (amd && (entry & 0x100) != 0),
            3 => leaf && (!pages1G || (entry & 0x3FFF_E000) != 0),
            2 => leaf && (entry & 0x1F_E000) != 0,
            _ => false,
        };
    }

    private LiteralOutcome Walk64(in LiteralInput input, ulong linear, ulong root, int levels)
    {
        bool noExecute = (input.Efer & (1 << 11)) != 0;
        var path = new Path { R = true, W = true, X = true, U = true };
        bool aboveWritable = true;
        ulong table = root;
        for (int level = levels; level >= 1; level--)
        {
            int shift = 12 + (9 * (level - 1));
            ulong place = table + (((linear >> shift) & 511) * 8);
            LiteralOutcome outcome = default;
            if (!Locate(place, ref outcome, out ulong host, out bool flagsMayBeWritten))
            {
                return outcome;
            }

            ulong entry = memory.Read(host);
            if ((entry & 1) == 0)
            {
                return PageFault(in input, present: false);
            }

            bool leaf = level == 1 || ((entry & 0x80) != 0 && level <= 3);
            bool pae = levels == 2;
            if (IsReserved64(entry, level, leaf, input.MaxPhysical, noExecute, input.Amd, input.Pages1G)
                || (pae && (entry & 0x7FF0_0000_0000_0000) != 0))
            {
                return PageFault(in input, present: true, reserved: true);
            }

            path.W &= (entry & 2) != 0;
            path.U &= (entry & 4) != 0;
            path.X &= entry >> 63 == 0;
            if (!leaf)
            {
                aboveWritable &= (entry & 2) != 0;
                if (!SetFlags(place, host, flagsMayBeWritten, entry, entry | 0x20, ref outcome))
                {
                    return outcome;
                }

                table = entry & FrameMask;
                continue;
            }

            path.ShadowStack = aboveWritable && (entry & 2) == 0 && (entry & 0x40) != 0;
            path.Key = (int)(entry >> 59) & 15;
            path.Global = (input.Cr4 & (1 << 7)) != 0 && (entry & 0x100) != 0;
            path.Shift = shift;
            if (Denied(in input, in path, out bool byKey))
            {
                return PageFault(in input, present: true, key: byKey);
            }

            ulong offset = (1UL << shift) - 1;
            return Finish(in input, (entry & FrameMask & ~offset) | (linear & offset), path, place, host, entry, flagsMayBeWritten);
        }

        throw new InvalidOperationException("A level-1 entry is a leaf.");
    }

    /// <summary>§4.3, tables 4-4 to 4-6.</summary>
    private LiteralOutcome Walk32(in LiteralInput input)
    {
        ulong linear = input.Linear & uint.MaxValue;
        LiteralOutcome outcome = default;
        ulong pdePlace = (input.Cr3 & 0xFFFF_F000) + ((linear >> 22) * 4);
        if (!Locate(pdePlace, ref outcome, out ulong pdeHost, out bool pdeFlags))
        {
            return outcome;
        }

        ulong pde = Read32(pdeHost);
        if ((pde & 1) == 0)
        {
            return PageFault(in input, present: false);
        }

        var path = new Path { R = true, X = true, W = (pde & 2) != 0, U = (pde & 4) != 0 };
        if ((pde & 0x80) != 0 && (input.Cr4 & (1 << 4)) != 0)
        {
            int addressBits = input.Pse36 ? Math.Min(40, input.MaxPhysical) : 32;
            for (int bit = 13 + addressBits - 32; bit <= 21; bit++)
            {
                if ((pde & (1UL << bit)) != 0)
                {
                    return PageFault(in input, present: true, reserved: true);
                }
            }

            path.ShadowStack = (pde & 2) == 0 && (pde & 0x40) != 0;
            path.Global = (input.Cr4 & (1 << 7)) != 0 && (pde & 0x100) != 0;
            path.Shift = 22;
            if (Denied(in input, in path, out bool largeKey))
            {
                return PageFault(in input, present: true, key: largeKey);
            }

            ulong page = (pde & 0xFFC0_0000) | (((pde >> 13) & 0xFF) << 32);
            return Finish(in input, page | (linear & 0x3F_FFFF), path, pdePlace, pdeHost, pde, pdeFlags, is32: true);
        }

        if (!SetFlags(pdePlace, pdeHost, pdeFlags, pde, pde | 0x20, ref outcome, is32: true))
        {
            return outcome;
        }

        ulong ptePlace = (pde & 0xFFFF_F000) + (((linear >> 12) & 1023) * 4);
        if (!Locate(ptePlace, ref outcome, out ulong pteHost, out bool pteFlags))
        {
            return outcome;
        }

        ulong pte = Read32(pteHost);
        if ((pte & 1) == 0)
        {
            return PageFault(in input, present: false);
        }

        path.ShadowStack = path.W && (pte & 2) == 0 && (pte & 0x40) != 0;
        path.W &= (pte & 2) != 0;
        path.U &= (pte & 4) != 0;
        path.Global = (input.Cr4 & (1 << 7)) != 0 && (pte & 0x100) != 0;
        path.Shift = 12;
        if (Denied(in input, in path, out bool key))
        {
            return PageFault(in input, present: true, key: key);
        }

        return Finish(in input, (pte & 0xFFFF_F000) | (linear & 0xFFF), path, ptePlace, pteHost, pte, pteFlags, is32: true);
    }

    /// <summary>The final access, and the leaf's flags after it.</summary>
    private LiteralOutcome Finish(
        in LiteralInput input, ulong gpa, Path path, ulong leafPlace, ulong leafHost, ulong leaf, bool flagsMayBeWritten = true,
        bool is32 = false)
    {
        LiteralOutcome outcome = default;
        bool write = input.Access == LiteralAccess.Write;
        bool fetch = input.Access == LiteralAccess.Fetch;
        int cpl = input.ImplicitSupervisor ? 0 : input.Cpl;
        if (!stage.Access(
                gpa, !write && !fetch, write, fetch, table: false, path.U, cpl, ref outcome,
                out ulong hpa, out int stageShift, out bool readable, out bool writable, out bool executable))
        {
            if (outcome.Kind == LiteralKind.EptViolation)
            {
                outcome.Code |= (path.U ? 1UL << 9 : 0) | (path.W ? 1UL << 10 : 0) | (path.X ? 0 : 1UL << 11)
                                | (input.ShadowStack ? 1UL << 13 : 0);
            }

            if (outcome.Kind == LiteralKind.NestedPageFault)
            {
                outcome.Code |= input.ShadowStack ? 1UL << 6 : 0;
            }

            return outcome;
        }

        bool paging = (input.Cr0 & (1UL << 31)) != 0;
        if (paging && !SetFlags(
                leafPlace, leafHost, flagsMayBeWritten, leaf, leaf | 0x20 | (write ? 0x40UL : 0), ref outcome, is32))
        {
            return outcome;
        }

        outcome = new LiteralOutcome
        {
            Kind = LiteralKind.Ok,
            GuestPhysical = gpa,
            HostPhysical = hpa,
            PageShift = Math.Min(path.Shift == 22 ? 21 : path.Shift, stageShift),
            Readable = readable,
            Writable = path.W && writable,
            Executable = path.X && executable,
            User = path.U,
            Global = path.Global,
            Key = path.Key,
        };
        return outcome;
    }

    private bool Locate(ulong place, ref LiteralOutcome outcome, out ulong host, out bool flagsMayBeWritten)
        => stage.AccessTable(place, ref outcome, out host, out flagsMayBeWritten);

    /// <summary>Sets flags of a guest entry; where EPT keeps none of its own, that is a write which EPT must allow.</summary>
    private bool SetFlags(
        ulong place, ulong host, bool mayBeWritten, ulong before, ulong after, ref LiteralOutcome outcome, bool is32 = false)
    {
        if (before == after)
        {
            return true;
        }

        if (!mayBeWritten)
        {
            stage.Access(place, false, true, false, table: true, true, 3, ref outcome, out _, out _, out _, out _, out _);
            return false;
        }

        if (is32)
        {
            int half = (int)(host & 4) * 8;
            ulong word = memory.Read(host & ~7UL);
            memory.Write(host & ~7UL, (word & ~((ulong)uint.MaxValue << half)) | (after << half));
        }
        else
        {
            memory.Write(host, after);
        }

        return true;
    }

    private ulong Read32(ulong host) => (memory.Read(host & ~7UL) >> ((int)(host & 4) * 8)) & uint.MaxValue;

    /// <summary>§4.6: access rights, and §4.6.2: protection keys.</summary>
    private static bool Denied(in LiteralInput input, in Path path, out bool byKey)
    {
        bool user = input.Cpl == 3 && !input.ImplicitSupervisor;
        bool write = input.Access == LiteralAccess.Write;
        bool fetch = input.Access == LiteralAccess.Fetch;
        bool wp = (input.Cr0 & (1 << 16)) != 0;
        bool smep = (input.Cr4 & (1 << 20)) != 0;
        bool smap = (input.Cr4 & (1 << 21)) != 0;
        bool longMode = (input.Efer & (1 << 8)) != 0 && (input.Cr4 & (1 << 5)) != 0;
        byKey = false;
        if (!fetch && longMode)
        {
            bool pke = path.U && (input.Cr4 & (1 << 22)) != 0;
            bool pks = !path.U && (input.Cr4 & (1 << 24)) != 0;
            uint register = pke ? input.Pkru : pks ? input.Pkrs : 0;
            bool accessDisable = (register & (1u << (2 * path.Key))) != 0;
            bool writeDisable = (register & (2u << (2 * path.Key))) != 0;
            byKey = accessDisable || (write && writeDisable && (user || wp));
        }

        if (input.ShadowStack)
        {
            return byKey || !path.ShadowStack || path.U != user;
        }

        bool denied;
        if (user)
        {
            denied = !path.U || (write && !path.W) || (fetch && !path.X);
        }
        else if (fetch)
        {
            denied = !path.X || (path.U && smep);
        }
        else
        {
            bool ac = input.Ac && !input.ImplicitSupervisor;
            denied = (path.U && smap && !ac) || (write && wp && !path.W);
        }

        return denied || byKey;
    }

    /// <summary>§4.7: the error code.</summary>
    private static LiteralOutcome PageFault(in LiteralInput input, bool present, bool reserved = false, bool key = false)
    {
        bool user = input.Cpl == 3 && !input.ImplicitSupervisor;
        bool pae = (input.Cr4 & (1 << 5)) != 0;
        bool reportsFetch = (input.Cr4 & (1 << 20)) != 0 || (pae && (input.Efer & (1 << 11)) != 0);
        ulong code = (present ? 1UL : 0)
                     | (input.Access == LiteralAccess.Write ? 2UL : 0)
                     | (user ? 4UL : 0)
                     | (reserved ? 8UL : 0)
                     | (input.Access == LiteralAccess.Fetch && reportsFetch ? 16UL : 0)
                     | (key ? 32UL : 0)
                     | (input.ShadowStack ? 64UL : 0);
        return new LiteralOutcome { Kind = LiteralKind.PageFault, Code = code };
    }

    private record struct Path
    {
        public bool R { get; set; }
        public bool W { get; set; }
        public bool X { get; set; }
        public bool U { get; set; }
        public bool ShadowStack { get; set; }
        public bool Global { get; set; }
        public int Key { get; set; }
        public int Shift { get; set; }
    }
}
