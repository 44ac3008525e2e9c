using System.Buffers.Binary;

namespace MemVirt.Simulation.Traces.Input;

/// <summary>
/// The CRC-64 of .xz: the ECMA-182 polynomial with its bits reversed, which System.IO.Hashing does not offer. Eight bytes a step.
/// </summary>
internal sealed class Crc64Xz
{
    private const ulong ReversedPolynomial = 0xC96C5795D7870F42;

    private static readonly ulong[] s_tables = BuildTables();

    private ulong _register = ulong.MaxValue;

    /// <summary>The check of what was appended.</summary>
    public ulong Value => ~_register;

    /// <summary>Appends bytes.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<ulong> tables = s_tables.AsSpan(0, 8 * 256);
        ulong register = _register;
        for (; bytes.Length >= 8; bytes = bytes[8..])
        {
            ulong word = register ^ BinaryPrimitives.ReadUInt64LittleEndian(bytes);
            register = tables[(7 * 256) + (byte)word]
                ^ tables[(6 * 256) + (byte)(word >> 8)]
                ^ tables[(5 * 256) + (byte)(word >> 16)]
                ^ tables[(4 * 256) + (byte)(word >> 24)]
                ^ tables[(3 * 256) + (byte)(word >> 32)]
                ^ tables[(2 * 256) + (byte)(word >> 40)]
                ^ tables[256 + (byte)(word >> 48)]
                ^ tables[(byte)(word >> 56)];
        }

        foreach (byte next in bytes)
        {
            register = tables[(byte)(register ^ next)] ^ (register >> 8);
        }

        _register = register;
    }

    /// <summary>Starts afresh.</summary>
    public void Reset() => _register = ulong.MaxValue;

    /// <summary>Table k gives the effect of a byte that k further bytes follow.</summary>
    private static ulong[] BuildTables()
    {
        ulong[] tables = new ulong[8 * 256];
        for (int i = 0; i < 256; i++)
        {
            ulong register = (ulong)i;
            for (int bit = 0; bit < 8; bit++)
            {
                register = (register >> 1) ^ (ReversedPolynomial & (0 - (register & 1)));
            }

            tables[i] = register;
        }

        for (int i = 256; i < tables.Length; i++)
        {
            ulong shorter = tables[i - 256];
            tables[i] = tables[(byte)shorter] ^ (shorter >> 8);
        }

        return tables;
    }
}
