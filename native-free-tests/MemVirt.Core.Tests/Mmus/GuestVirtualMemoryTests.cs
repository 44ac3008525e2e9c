using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Memory;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Tests.Registers;
using MemVirt.Core.Tests.Tlb;
using MemVirt.Core.Tests.Walking;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Tests.Mmus;

/// <summary>Values and bytes at guest-virtual addresses, against a plain array; pages lie scattered in host memory.</summary>
public sealed class GuestVirtualMemoryTests : IDisposable
{
    private const ulong Start = 0x7F12_4000_0000;
    private const ulong Data = 1UL << 30;
    private const int Pages = 4;
    private const ulong ReadOnlyPage = Start + (Pages << 12);
    private const ulong Absent = ReadOnlyPage + 0x1000;
    private readonly SparseMemory _memory = new();
    private readonly Mmu<TwoStageSource<X64FourLevel, IdentityStage, HostTableReader>> _mmu;
    private readonly GuestVirtualMemory _guest;

    public GuestVirtualMemoryTests()
    {
        var tables = new TableBuilder<X64FourLevel>(_memory, new FrameAllocator(0x1000, Data));
        for (ulong page = 0; page < Pages; page++)
        {
            tables.Map(Start + (page << 12), Data + ((Pages - page) << 13));
        }

        ulong entry = tables.Map(ReadOnlyPage, Data);
        _memory.Write(entry, _memory.Read(entry) & ~X64FourLevel.Writable);
        _mmu = MmuFactory.Native(_memory, tables.Root);
        _guest = new(_mmu, _memory);
    }

    public void Dispose() => _memory.Dispose();

    [Fact]
    public void Random_values_and_copies_equal_those_of_an_array()
    {
        for (ulong seed = 1; seed <= 20; seed++)
        {
            var random = new SplitMix(seed);
            var expected = new byte[Pages << 12];
            _guest.Write(At(0), expected, out _);
            for (int step = 0; step < 400; step++)
            {
                int place = random.Below(expected.Length - 8);
                ulong value = random.Next();
                switch (random.Below(4))
                {
                    case 0:
                        Assert.Equal(TranslationStatus.Ok, _guest.Write(At(place), value));
                        BitConverter.TryWriteBytes(expected.AsSpan(place), value);
                        break;
                    case 1:
                        Assert.Equal(TranslationStatus.Ok, _guest.Write(At(place), (ushort)value));
                        BitConverter.TryWriteBytes(expected.AsSpan(place), (ushort)value);
                        break;
                    case 2:
                        var bytes = new byte[random.Below(expected.Length - place)];
                        Array.Fill(bytes, (byte)value);
                        Assert.Equal(TranslationStatus.Ok, _guest.Write(At(place), bytes, out int done));
                        Assert.Equal(bytes.Length, done);
                        bytes.CopyTo(expected, place);
                        break;
                    default:
                        var read = new byte[random.Below(expected.Length - place)];
                        Assert.Equal(TranslationStatus.Ok, _guest.Read(At(place), read, out _));
                        Assert.True(expected.AsSpan(place, read.Length).SequenceEqual(read), $"seed {seed}, step {step}");
                        break;
                }

                Assert.Equal(TranslationStatus.Ok, _guest.Read(At(place), out ulong word));
                Assert.True(BitConverter.ToUInt64(expected, place) == word, $"seed {seed}, step {step}");
            }
        }
    }

    [Fact]
    public void A_store_that_crosses_into_a_page_that_faults_has_written_nothing()
    {
        var last = GuestVirtualAddress.Create(ReadOnlyPage - 4);
        _guest.Write(last, 0x1111_1111);
        Assert.Equal(TranslationStatus.GuestProtection, _guest.Write(last, ulong.MaxValue));
        Assert.Equal(TranslationStatus.Ok, _guest.Read(last, out uint word));
        Assert.Equal(0x1111_1111u, word);
        Assert.Equal(TranslationStatus.Ok, _guest.Read(last, out ulong both));
        Assert.Equal(0x1111_1111UL, both);
    }

    [Fact]
    public void A_copy_stops_at_the_page_that_faults_and_says_how_far_it_came()
    {
        var bytes = new byte[0x3000];
        Assert.Equal(TranslationStatus.GuestNotPresent, _guest.Read(GuestVirtualAddress.Create(Absent - 0x1010), bytes, out int read));
        Assert.Equal(0x1010, read);
        Assert.Equal(TranslationStatus.GuestProtection, _guest.Write(GuestVirtualAddress.Create(ReadOnlyPage - 0x10), bytes, out int written));
        Assert.Equal(0x10, written);
        Assert.Equal(TranslationStatus.GuestNotPresent, _guest.Read(GuestVirtualAddress.Create(Absent - 4), out ulong _));
        Assert.Equal(TranslationStatus.NotCanonical, _guest.Read(GuestVirtualAddress.Create((1UL << 56) - 4), out ulong _));
    }

    [Fact]
    public void A_batch_stops_at_the_address_that_faults_and_goes_on_after_it()
    {
        GuestVirtualAddress[] gvas =
        [
            At(0), At(0x1008), GuestVirtualAddress.Create(ReadOnlyPage), At(0x10), GuestVirtualAddress.Create(Absent + 8), At(0x2000),
        ];
        var hpas = new HostPhysicalAddress[gvas.Length];
        Assert.Equal(4, _mmu.Translate(gvas, MemoryAccess.Read, hpas, out Translation fault));
        Assert.Equal(TranslationStatus.GuestNotPresent, fault.Status);
        Assert.Equal(1, _mmu.Translate(gvas.AsSpan(5), MemoryAccess.Read, hpas.AsSpan(5), out fault));
        Assert.Equal(TranslationStatus.Ok, fault.Status);
        foreach (int index in new[] { 0, 1, 2, 3, 5 })
        {
            _mmu.Translate(gvas[index], MemoryAccess.Read, out HostPhysicalAddress one);
            Assert.Equal(one, hpas[index]);
        }

        Assert.Equal(2, _mmu.Translate(gvas, MemoryAccess.Write, hpas, out fault));
        Assert.Equal(TranslationStatus.GuestProtection, fault.Status);
        Assert.Throws<ArgumentException>(() => _mmu.Translate(gvas, MemoryAccess.Read, hpas.AsSpan(1), out _));
    }

    [Fact]
    public void Nothing_is_allocated()
    {
        var bytes = new byte[0x3000];
        var hpas = new HostPhysicalAddress[2];
        GuestVirtualAddress[] gvas = [At(0), At(0x1000)];
        Assert.Equal(0, Allocations.Of(() =>
        {
            _guest.Write(At(0xFFC), 5UL);
            _guest.Read(At(0xFFC), out ulong _);
            _guest.Read(At(0x10), bytes, out _);
            _guest.Write(At(0x10), bytes, out _);
            _mmu.Translate(gvas, MemoryAccess.Read, hpas, out _);
        }));
    }

    private static GuestVirtualAddress At(int place) => GuestVirtualAddress.Create(Start + (ulong)place);
}
