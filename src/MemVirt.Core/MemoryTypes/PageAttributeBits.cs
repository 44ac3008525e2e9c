namespace MemVirt.Core.MemoryTypes;

/// <summary>
/// The index into the PAT that an entry chooses (Intel SDM Vol. 3A §4.9.2, table 11-11): 4 PAT + 2 PCD + PWT. The same bits stand
/// in guest entries and in AMD's nested ones.
/// </summary>
public static class PageAttributeBits
{
    private const int WriteThroughBit = 3;
    private const int SmallPageBit = 7;
    private const int LargePageBit = 12;

    /// <summary>
    /// For the page that a leaf maps: PAT is bit 7 of a PTE, bit 12 of a larger page's entry. On a processor without the PAT
    /// those bits are reserved, so that the index is below 4 and a table left at its reset value gives what PCD and PWT mean
    /// there.
    /// </summary>
    /// <param name="entry">The leaf.</param>
    /// <param name="largePage">Whether it maps more than 4 KiB.</param>
    public static int IndexOfPage(ulong entry, bool largePage)
        => (int)(entry >> (largePage ? LargePageBit : SmallPageBit) & 1) << 2 | IndexOfTable(entry);

    /// <summary>
    /// For the table that CR3 (with CR4.PCIDE clear), a PDPTE register or a non-leaf entry leads to: PAT counts as 0. With
    /// CR4.PCIDE set, CR3's bits belong to the PCID and the index of the root is 0 (§4.9.2).
    /// </summary>
    public static int IndexOfTable(ulong entry) => (int)(entry >> WriteThroughBit & 3);
}
